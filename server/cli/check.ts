import { readSettings } from '../read-settings.ts'
import { EXIT } from './exit-codes.ts'

const CHECK_HELP = `landfall check [flags] [--json]

Checks the settings, in flags and environment variables as the service reads them, without starting it.
Exits with 0 if they are right, else with 2.
`

/** `landfall check`. @returns the exit code. */
export async function check(
  environment: NodeJS.ProcessEnv,
  args: readonly string[],
  print: (line: string) => void,
): Promise<number> {
  if (args.includes('--help')) {
    print(CHECK_HELP.trimEnd())
    return EXIT.done
  }
  const isJson = args.includes('--json')
  const problems = problemsOf(
    environment,
    args.filter((arg) => arg !== '--json'),
  )
  if (isJson) print(JSON.stringify({ ok: problems.length === 0, problems }))
  else for (const line of problems.length === 0 ? ['The settings are right.'] : problems) print(line)
  return problems.length === 0 ? EXIT.done : EXIT.usage
}

/** One sentence for each wrong setting. */
function problemsOf(environment: NodeJS.ProcessEnv, args: readonly string[]): readonly string[] {
  try {
    readSettings(environment, args)
    return []
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n')
  }
}
