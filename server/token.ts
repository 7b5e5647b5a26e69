import { parseArgs } from 'node:util'
import { createUploadToken, type UploadTokenRequest, uploadTokenRequest } from './auth/upload-tokens.ts'
import { settingsOfCommand } from './read-settings.ts'
import { secretsOf } from './secrets.ts'

const TOKEN_HELP = `landfall token create --sub NAME --expires TIME [options]

Prints a token for uploads, which clients present like a JWT. The service must run with AUTH=jwt, and with the same
SECRET or DATA_DIR as this command. A token cannot be withdrawn, so let it expire soon.

  --sub NAME        the user of the token, who owns its uploads
  --expires TIME    for how long: 90s, 15m, 2h, 7d
  --max-size BYTES  maximum size of a file
  --types LIST      file types, separated by commas, as in ALLOWED_TYPES
  --quota BYTES     maximum size of all files of the subject
  --path PATH       the only path where the token is valid, and those below it
  --may LIST        create, write, ask, read, delete; by default create,write,ask
  --data-dir DIR    DATA_DIR of the service, if it has no SECRET
  --json            prints the token and its end, in seconds since 1970
`

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 60 * 60, d: 24 * 60 * 60 }

/**
 * `landfall token`.
 *
 * @param print receives lines for the operator.
 * @throws Error with a sentence for the operator when an argument is wrong, or the secret is not accessible.
 */
export async function token(
  environment: NodeJS.ProcessEnv,
  args: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      sub: { type: 'string' },
      expires: { type: 'string' },
      'max-size': { type: 'string' },
      types: { type: 'string' },
      quota: { type: 'string' },
      path: { type: 'string' },
      may: { type: 'string' },
      'data-dir': { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true || positionals[0] !== 'create') return print(TOKEN_HELP.trimEnd())
  const request = requestOf({
    sub: values.sub ?? '',
    expires_in: secondsIn(values.expires ?? ''),
    ...(values['max-size'] !== undefined && { max_size: Number(values['max-size']) }),
    ...(values.quota !== undefined && { quota: Number(values.quota) }),
    ...(values.types !== undefined && { types: listIn(values.types) }),
    ...(values.may !== undefined && { may: listIn(values.may) }),
    ...(values.path !== undefined && { path: values.path }),
  })
  const { keys } = await secretsOf(settingsOfCommand(environment, values['data-dir']))
  const created = await createUploadToken(keys.token, request)
  print(values.json === true ? JSON.stringify(created) : created.token)
}

function requestOf(values: Readonly<Record<string, unknown>>): UploadTokenRequest {
  const { data, error } = uploadTokenRequest.safeParse(values)
  if (data !== undefined) return data
  const [issue] = error.issues
  const name = String(issue?.path[0]).replace('expires_in', 'expires').replace('_', '-')
  throw new Error(`--${name} is not valid: ${issue?.message}.`)
}

/** @throws Error with a sentence for the operator. */
function secondsIn(text: string): number {
  const [, number, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? []
  if (number === undefined) throw new Error('--expires must be a time like 90s, 15m, 2h, or 7d.')
  return Number(number) * (SECONDS[unit] ?? 1)
}

function listIn(text: string): string[] {
  return text.split(',').map((entry) => entry.trim())
}
