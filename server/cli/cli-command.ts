import { type ParseArgsConfig, parseArgs } from 'node:util'
import { systemCode } from '../core/errors.ts'
import { type AdminConnection, connectionsTo } from './admin-connection.ts'
import { CliError, EXIT, usage } from './exit-codes.ts'

type Options = NonNullable<ParseArgsConfig['options']>
type Environment = NodeJS.ProcessEnv
type Print = (line: string) => void

/**
 * A subcommand of the program.
 *
 * @param complain receives errors; by default, they go to standard error.
 * @returns the exit code.
 */
export type CliCommand = (
  environment: Environment,
  args: readonly string[],
  print: Print,
  complain?: Print,
) => Promise<number>

/** The parsed arguments of a command. */
export interface CliCall {
  readonly environment: Environment
  readonly print: Print
  readonly complain: Print
  /** Whether programs read what is printed. */
  readonly isJson: boolean
  readonly positionals: readonly string[]
  /** The option, as text. */
  readonly text: (name: string) => string | undefined
  readonly isSet: (name: string) => boolean
  /** The nodes of the service, mostly one. @throws CliError */
  readonly nodes: () => readonly AdminConnection[]
}

interface Definition {
  /** The first line is that of the usage. */
  readonly help: string
  readonly options?: Options
  readonly run: (call: CliCall) => Promise<number | undefined>
}

/** What every command of the admin API has. */
export const CONNECTION_HELP = `  --url URL          the admin API; of several nodes, separated by commas; by default ADMIN_URL, or ADMIN_HOST and
                     ADMIN_PORT
  --token-file FILE  contains the token; by default ADMIN_TOKEN, or ADMIN_TOKEN_FILE
  --json             prints JSON

Exit codes: 0 done, 1 refused or failed, 2 wrong arguments, 3 no such upload or dead letter, 4 the service is not
available for now.`

const COMMON = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** A command that prints its errors, and returns an exit code for each kind of them. */
export function cliCommand({ help, options = {}, run }: Definition): CliCommand {
  return async (environment, args, print, complain = toStandardError) => {
    try {
      const { values, positionals } = parsed(args, { ...options, ...COMMON })
      if (values['help'] === true) {
        print(help.trimEnd())
        return EXIT.done
      }
      const text = (name: string): string | undefined => {
        const value = values[name]
        return typeof value === 'string' ? value : undefined
      }
      const code = await run({
        environment,
        print,
        complain,
        isJson: values['json'] === true,
        positionals,
        text,
        isSet: (name) => values[name] === true,
        nodes: () => connectionsTo(environment, { url: text('url'), 'token-file': text('token-file') }),
      })
      return code ?? EXIT.done
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      complain(error.message)
      return error.exitCode
    }
  }
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`)
}

function parsed(args: readonly string[], options: Options): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (error) {
    if (systemCode(error)?.startsWith('ERR_PARSE_ARGS') !== true) throw error
    // Without the name and the code of the error.
    throw usage(String(error).replace(/^\w+(?: \[\w+\])?: /, ''))
  }
}
