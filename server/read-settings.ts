import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { isPageField } from '../legacy-adapter/fields.ts'
import { systemCode } from './core/errors.ts'
import { helpText } from './describe-settings.ts'
import { declaration, flagOf, isSecret, type Settings } from './settings.ts'
import { versionLine, versionOf } from './version.ts'

/** Settings as text, by name. An absent one has its default; an empty one does not. */
export type SettingTexts = Readonly<Partial<Record<string, string>>>

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'run'; readonly settings: Settings }
  | { readonly kind: 'help' | 'version'; readonly text: string }

/** Flags that only ask. */
const ASKING = { help: { type: 'boolean' }, version: { type: 'boolean' } } as const

/**
 * Reads flags and environment variables; flags win.
 *
 * @throws Error with a sentence for the operator: the first flag that is wrong, or every value that is, one a line.
 */
export function readSettings(environment: SettingTexts, args: readonly string[]): Command {
  const names = Object.keys(declaration.shape)
  const flagNames = names.flatMap((name) => (isSecret(name) ? [name, `${name}_FILE`] : [name]))
  const options = Object.fromEntries(flagNames.map((name) => [flagOf(name), { type: 'string' as const }]))
  const { values } = parseArgs({ args: [...args], options: { ...options, ...ASKING } })
  if (values.help === true) return { kind: 'help', text: helpText() }
  if (values.version === true) return { kind: 'version', text: `${versionLine(versionOf(environment))}\n` }
  const flags = new Map(Object.entries(values))
  const given = (name: string): string | undefined => {
    const text = flags.get(flagOf(name)) ?? (isOfNpm(name, environment[name]) ? undefined : environment[name])
    return typeof text === 'string' ? text : undefined
  }
  const texts = names.map((name) => {
    if (!isSecret(name)) return [name, given(name)]
    if (flags.has(flagOf(name))) {
      throw new Error(
        `${name} must not be a flag, which other users can see. Set ${name}, or name a file in ${name}_FILE.`,
      )
    }
    return [name, secretText(name, environment[name], given(`${name}_FILE`))]
  })
  return { kind: 'run', settings: parseSettings(Object.fromEntries(texts)) }
}

/** Whether npm has set a variable, not the operator: for its scripts, `NODE` is the path of Node. */
function isOfNpm(name: string, text: string | undefined): boolean {
  return name === 'NODE' && text !== undefined && /[/\\]/.test(text)
}

/** The settings of a subcommand, of which only `--data-dir` is a flag. @throws Error with a sentence for the operator. */
export function settingsOfCommand(environment: SettingTexts, dataDir: string | undefined): Settings {
  const command = readSettings(environment, dataDir === undefined ? [] : ['--data-dir', dataDir])
  if (command.kind !== 'run') throw new Error('The settings cannot be read.')
  return command.settings
}

/** A secret from its variable or its file. @throws Error with a sentence for the operator, which never contains it. */
function secretText(name: string, text: string | undefined, file: string | undefined): string | undefined {
  if (file === undefined || file === '') return text
  if (text !== undefined && text !== '') throw new Error(`${name} must not be set together with ${name}_FILE.`)
  let content: string
  try {
    content = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new Error(`${name}_FILE must be readable: ${file} (${systemCode(error)}).`)
  }
  if (content === '') throw new Error(`${name}_FILE must not be empty: ${file}.`)
  return content
}

/** @throws Error with a sentence for every value that is wrong, one a line. */
export function parseSettings(texts: SettingTexts): Settings {
  const settings = parse(declaration, texts)
  const conflicts = conflictsIn(settings)
  if (conflicts.length > 0) throw new Error(conflicts.join('\n'))
  return { ...settings, NODE_NAME: settings.NODE_NAME || settings.NODE }
}

/** A sentence for everything that settings need of each other and lack. */
function conflictsIn(settings: Settings): readonly string[] {
  const { AUTH, JWT_SECRET, JWKS_URL, TOKEN_KEY, AUTH_URL, AUTH_FIELD, LEGACY_IDENTITY, HOOKS_URL, HOOKS_DIR } =
    settings
  return [
    ...(AUTH === 'jwt' && JWT_SECRET === '' && JWKS_URL === '' && TOKEN_KEY === ''
      ? ['AUTH=jwt needs JWT_SECRET, JWKS_URL, or TOKEN_KEY.']
      : []),
    ...(JWT_SECRET !== '' && JWKS_URL !== '' ? ['JWT_SECRET and JWKS_URL exclude each other.'] : []),
    // A token changes during an upload.
    ...(AUTH !== 'none' && (isPageField(AUTH_FIELD) || LEGACY_IDENTITY.includes(AUTH_FIELD))
      ? ['AUTH_FIELD must not name a field that WebUploader or LEGACY_IDENTITY uses.']
      : []),
    ...(HOOKS_URL !== '' && HOOKS_DIR !== '' ? ['HOOKS_URL and HOOKS_DIR exclude each other.'] : []),
    ...(settings.WEBHOOK_URLS.length > 0 && settings.WEBHOOK_SECRET === ''
      ? ['WEBHOOK_URLS must be set together with WEBHOOK_SECRET.']
      : []),
    ...(settings.STORE === 's3' && settings.S3_BUCKET === '' ? ['STORE=s3 needs S3_BUCKET.'] : []),
    ...(settings.STORE === 's3' && settings.NODE !== ''
      ? ['NODE is for STORE=disk: nodes with a bucket share all uploads.']
      : []),
    // Every node must make the same ids, and links that the others accept.
    ...(settings.STORE === 's3' && settings.SECRET === '' ? ['STORE=s3 needs SECRET.'] : []),
    ...(settings.S3_ACCESS_KEY_ID !== '' && settings.S3_SECRET_ACCESS_KEY === ''
      ? ['S3_ACCESS_KEY_ID must be set together with S3_SECRET_ACCESS_KEY.']
      : []),
    ...(settings.S3_SECRET_ACCESS_KEY !== '' && settings.S3_ACCESS_KEY_ID === ''
      ? ['S3_SECRET_ACCESS_KEY must be set together with S3_ACCESS_KEY_ID.']
      : []),
    ...(settings.ADMIN_CLAIM !== undefined && AUTH !== 'jwt'
      ? ['ADMIN_CLAIM must be set together with AUTH=jwt.']
      : []),
    // Clients of a socket have no address of their own.
    ...(settings.UNIX_SOCKET !== '' && settings.TRUST_PROXY === 'false'
      ? ['UNIX_SOCKET must be set together with TRUST_PROXY.']
      : []),
    ...(AUTH === 'forward' && AUTH_URL === '' ? ['AUTH=forward needs AUTH_URL.'] : []),
  ]
}

/** Only the data directory, whatever the other settings are. @throws Error with a sentence when it is wrong. */
export function parseDataDir(text: string | undefined): string {
  return parse(declaration.pick({ DATA_DIR: true }), { DATA_DIR: text }).DATA_DIR
}

/**
 * Only the secret, whatever the other settings are.
 *
 * @param file the value of the flag `--secret-file`.
 * @throws Error with a sentence when it is wrong.
 */
export function parseSecret(environment: SettingTexts, file: string | undefined): string {
  const text = secretText('SECRET', environment['SECRET'], file ?? environment['SECRET_FILE'])
  return parse(declaration.pick({ SECRET: true }), { SECRET: text }).SECRET
}

function parse<T>(schema: z.ZodType<T>, texts: unknown): T {
  const { success, data, error } = schema.safeParse(texts)
  if (success) return data
  throw new Error([...new Set(error.issues.map(({ path, message }) => `${String(path[0])} ${message}.`))].join('\n'))
}
