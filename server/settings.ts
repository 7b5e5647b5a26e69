import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { isPageField } from '../legacy-adapter/fields.ts'
import { systemCode } from './core/errors.ts'
import {
  allOrSome,
  command,
  cookieName,
  fileTypes,
  headerSecret,
  host,
  httpUrl,
  longSecret,
  mode,
  names,
  nonEmpty,
  oneOf,
  origin,
  ownSecret,
  publicKeyAlgorithms,
  publicUrl,
  scanUrl,
  sizeLimit,
  socketAddress,
  unownedUploads,
  wholeBetween,
} from './settings-schemas.ts'

/** The documentation of a setting: its default, with the unit, and its meaning. */
const descriptions = z.registry<{ readonly default: string; readonly help: string; readonly isSecret?: true }>()

/**
 * Every setting: an environment variable, and a flag of the same name. Other users of the host can read the flags of a
 * process, so a secret has none; instead, a variable and a flag with `_FILE` name a file that contains it.
 */
const declaration = z.object({
  HOST: setting('127.0.0.1', 'Address to listen on.', nonEmpty()),
  PORT: setting('1080', 'Port to listen on; 0 picks a free one.', wholeBetween(0, 65_535)),
  DATA_DIR: setting('./data', 'Directory for uploads and finished files.', nonEmpty()),
  FILE_MODE: setting(
    '0640',
    'Permissions of finished files (octal). Everything else in DATA_DIR is for the service only.',
    mode(
      0o600,
      0o111,
      'must be an octal number like 0640: read and write for the owner, no execute, no write for others',
    ),
  ),
  DIR_MODE: setting(
    '0750',
    'Permissions of DATA_DIR and the directories of finished files (octal), if they are new.',
    mode(0o700, 0o002, 'must be an octal number like 0750: all rights for the owner, no write for others'),
  ),
  MAX_SIZE: setting('0', 'Maximum file size; 0 = unlimited.', sizeLimit(), 'bytes'),
  MAX_METADATA: setting('8192', 'Maximum metadata per upload, decoded.', sizeLimit(), 'bytes'),
  QUOTA_BYTES: setting(
    '0',
    'Maximum total size of the uploads of an account, as declared or as stored. An account is an owner, or an anonymous client address (IPv6: /64 network). 0 = unlimited.',
    sizeLimit(),
    'bytes',
  ),
  QUOTA_FILES: setting('0', 'Maximum uploads of an account, finished or not; 0 = unlimited.', sizeLimit()),
  QUOTA_UNFINISHED: setting('100000', 'Maximum unfinished uploads of an account; 0 = unlimited.', sizeLimit()),
  TOTAL_BYTES: setting('0', 'Like QUOTA_BYTES, for all accounts together.', sizeLimit(), 'bytes'),
  TOTAL_FILES: setting('0', 'Like QUOTA_FILES, for all accounts together.', sizeLimit()),
  TOTAL_UNFINISHED: setting('0', 'Like QUOTA_UNFINISHED, for all accounts together.', sizeLimit()),
  CREATIONS_PER_MINUTE: setting(
    '6000',
    'Maximum new uploads of an account per minute, and a tenth of them while other accounts upload. A sixth may come at once, further ones wait; they fail only if more than 1000 are waiting, or one for more than 50 s. 0 = unlimited.',
    sizeLimit(),
  ),
  REQUESTS_PER_MINUTE: setting(
    '0',
    'Like CREATIONS_PER_MINUTE, for all requests of a client address except health checks. 0 = unlimited.',
    sizeLimit(),
  ),
  MIN_FREE: setting(
    '1073741824',
    'Minimum free disk space: uploads fail before the disk is full. At most a tenth of the disk; 0 = none.',
    wholeBetween(0, Number.MAX_SAFE_INTEGER),
    'bytes',
  ),
  MIN_FREE_INODES: setting('10000', 'Minimum free inodes, likewise.', wholeBetween(0, Number.MAX_SAFE_INTEGER)),
  MAX_CHUNKS: setting('100000', 'Maximum chunks per WebUploader file.', wholeBetween(1, 10_000_000)),
  ALLOWED_TYPES: setting(
    '',
    'Accepted file types: a comma-separated list of extensions (.pdf) and MIME types (application/pdf, image/*). The content must match the extension. Empty = all.',
    fileTypes(),
  ),
  SCAN_CMD: setting(
    '',
    'Command that scans each file on its standard input before it becomes visible: exit code 0 = clean, 1 = rejected, any other = no verdict, retried later. No shell; arguments are separated by spaces.',
    command(),
  ),
  SCAN_URL: setting(
    '',
    'URL that each file is posted to before it becomes visible: 200 or 204 = clean, 422 = rejected, any other = no verdict, retried later.',
    scanUrl(),
  ),
  SCAN_CLAMD: setting(
    '',
    'Address of the clamd that scans each file before it becomes visible: host:port, or the path of its socket.',
    socketAddress(),
  ),
  SCAN_TIMEOUT: setting('600', 'Maximum duration of a scan.', wholeBetween(1, 1_000_000), 'seconds'),
  SCAN_CONCURRENCY: setting('2', 'Maximum concurrent scans; further files wait.', wholeBetween(1, 1_000)),
  QUARANTINE_SIZE: setting(
    '1073741824',
    'Maximum total size of rejected files in quarantine; the oldest are deleted first. 0 = keep none.',
    wholeBetween(0, Number.MAX_SAFE_INTEGER),
    'bytes',
  ),
  EXPIRES_AFTER: setting(
    '604800',
    'How long an unfinished upload is kept after its last byte.',
    wholeBetween(1, 1_000_000_000),
    'seconds',
  ),
  SYNC: setting(
    'finish',
    'When bytes are synced to disk: finish (before a file counts as finished), always (before any byte is acknowledged), never.',
    oneOf('finish', 'always', 'never'),
  ),
  IDLE_TIMEOUT: setting(
    '60000',
    'How long a client may send no data before its connection is closed; its bytes are kept.',
    wholeBetween(1, 2_000_000_000),
    'ms',
  ),
  MAX_CONNECTIONS: setting(
    '0',
    'Maximum open connections per address (IPv6: per /64 network); 0 = unlimited. Behind a proxy, all clients have its address.',
    wholeBetween(0, 1_000_000),
  ),
  MAX_UPLOADS: setting(
    '0',
    'Maximum concurrent uploads per client address (IPv6: per /64 network); further requests wait. 0 = unlimited.',
    wholeBetween(0, 1_000_000),
  ),
  DRAIN: setting('30', 'How long running requests may continue after SIGTERM.', wholeBetween(0, 86_400), 'seconds'),
  PUBLIC_URL: setting(
    '',
    'Public URL of this service; without it, browsers and clients behind proxies receive relative URLs.',
    publicUrl(),
  ),
  DOWNLOAD_URL: setting(
    '',
    'URL of this service under another host name, which serves finished files and nothing else; downloads are redirected there.',
    publicUrl(),
  ),
  ALLOWED_ORIGINS: setting(
    '',
    'Other origins whose pages may upload, and embed files: a comma-separated list, or * for all, but without their cookies.',
    allOrSome(origin()),
  ),
  ALLOWED_HOSTS: setting(
    '',
    'Host names that clients may use: a comma-separated list, or * for all. Always allowed: addresses, names without a dot, local names (.local, .lan, .internal, .home.arpa, .svc), HOST, and the hosts of PUBLIC_URL and DOWNLOAD_URL. Requests through a trusted proxy are not checked.',
    allOrSome(host()),
  ),
  TRUST_PROXY: setting(
    'false',
    'Which proxy headers to trust: true (X-Forwarded-For, -Proto, -Prefix), forwarded (Forwarded), false (none).',
    oneOf('false', 'true', 'forwarded'),
  ),
  INTERIM_RESPONSES: setting(
    'direct',
    'Which requests receive 104 (Upload Resumption Supported): direct (those without a proxy), always (if the proxy passes it on), never.',
    oneOf('direct', 'always', 'never'),
  ),
  LEGACY_IDENTITY: setting(
    'task_id,id,name,size,lastModifiedDate,chunks',
    'Fields that distinguish WebUploader files; task_id, name, and size always do. Without id and lastModifiedDate, a file that is selected again is the same upload.',
    names(),
  ),
  LEGACY_CHECK: setting(
    'list',
    'What /check lists if the page names no file: list (chunks that all unfinished uploads of the visitor’s task have), safe (nothing).',
    oneOf('safe', 'list'),
  ),
  AUTH: setting(
    'none',
    'Who may use the service: none (any client; the URL of an upload is the right to it), jwt (clients with a token), forward (clients that AUTH_URL allows).',
    oneOf('none', 'jwt', 'forward'),
  ),
  JWT_SECRET: secret('Secret of tokens signed with HS256; at least 32 bytes.', longSecret()),
  JWKS_URL: setting('', 'URL of the public keys of tokens (JWKS).', httpUrl()),
  JWT_ALGORITHMS: setting(
    'RS256,ES256,EdDSA',
    'Accepted algorithms of tokens signed with keys of JWKS_URL: a comma-separated list of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519.',
    publicKeyAlgorithms(),
  ),
  JWT_AUDIENCE: setting('', 'Required audience (aud) of tokens.', z.string()),
  JWT_ISSUER: setting('', 'Required issuer (iss) of tokens; also the issuer of subjects without one.', z.string()),
  AUTH_COOKIE: setting('', 'Cookie that may hold a token, for AUTH=jwt.', cookieName()),
  AUTH_FIELD: setting(
    '',
    'Field of WebUploader pages that may hold a token, in the form or the query; not one that WebUploader or LEGACY_IDENTITY uses. Without it, no field may.',
    z.string().trim(),
  ),
  TOKEN_KEY: secret(
    'Key with which an application creates upload tokens (POST /tokens), for AUTH=jwt; at least 32 characters. Without it, there is no such endpoint.',
    headerSecret(),
  ),
  AUTH_URL: setting('', 'URL of the service that authorizes each request, for AUTH=forward.', httpUrl()),
  AUTH_SUBJECT_HEADER: setting(
    'Remote-User',
    'Header in which AUTH_URL names the user.',
    z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header'),
  ),
  UNOWNED_UPLOADS: setting(
    'nobody',
    'Who owns uploads that were begun with AUTH=none: nobody, everyone (who is signed in), sub:NAME (one subject of JWT_ISSUER).',
    unownedUploads(),
  ),
  DOWNLOADS: setting(
    'on',
    'Who may download: on (clients that may read the upload), signed (only clients with a signed link), off.',
    oneOf('on', 'signed', 'off'),
  ),
  TERMINATION: setting(
    'on',
    'What clients may delete: on (their uploads), unfinished (only unfinished ones), off (nothing).',
    oneOf('on', 'unfinished', 'off'),
  ),
  SECRET: secret(
    'Source of the keys for owners, links, tokens, and ids; at least 32 characters. Without it, one is kept in DATA_DIR.',
    ownSecret(),
  ),
  LOG_LEVEL: setting(
    'info',
    'Log level: fatal, error, warn, info, debug, trace, silent.',
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  ),
})

/** The settings, parsed. */
export type Settings = Readonly<z.output<typeof declaration>>

/** Settings as text, by name. An absent one has its default; an empty one does not. */
export type SettingTexts = Readonly<Partial<Record<string, string>>>

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'run'; readonly settings: Settings }
  | { readonly kind: 'help'; readonly text: string }

/**
 * Reads flags and environment variables; flags win.
 *
 * @throws Error with a sentence for the operator: the first flag that is wrong, or every value that is, one a line.
 */
export function readSettings(environment: SettingTexts, args: readonly string[]): Command {
  const names = Object.keys(declaration.shape)
  const flagNames = names.flatMap((name) => (isSecret(name) ? [name, `${name}_FILE`] : [name]))
  const options = Object.fromEntries(flagNames.map((name) => [flagOf(name), { type: 'string' as const }]))
  const { values } = parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean' } } })
  if (values.help === true) return { kind: 'help', text: helpText() }
  const flags = new Map(Object.entries(values))
  const given = (name: string): string | undefined => {
    const text = flags.get(flagOf(name)) ?? environment[name]
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
  return settings
}

/** A sentence for everything that settings need of each other and lack. */
function conflictsIn(settings: Settings): readonly string[] {
  const { AUTH, JWT_SECRET, JWKS_URL, TOKEN_KEY, AUTH_URL, AUTH_FIELD, LEGACY_IDENTITY } = settings
  return [
    ...(AUTH === 'jwt' && JWT_SECRET === '' && JWKS_URL === '' && TOKEN_KEY === ''
      ? ['AUTH=jwt needs JWT_SECRET, JWKS_URL, or TOKEN_KEY.']
      : []),
    ...(JWT_SECRET !== '' && JWKS_URL !== '' ? ['JWT_SECRET and JWKS_URL exclude each other.'] : []),
    // A token changes during an upload.
    ...(AUTH !== 'none' && (isPageField(AUTH_FIELD) || LEGACY_IDENTITY.includes(AUTH_FIELD))
      ? ['AUTH_FIELD must not name a field that WebUploader or LEGACY_IDENTITY uses.']
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

/** The settings as rows of a table: name, flag, default with unit, help. */
export function describeSettings(): readonly { name: string; flag: string; default: string; help: string }[] {
  return Object.entries(declaration.shape).map(([name, schema]) => {
    const { default: fallback = '', help = '' } = descriptions.get(schema) ?? {}
    const flag = flagOf(isSecret(name) ? `${name}_FILE` : name)
    return { name, flag: `--${flag}`, default: fallback, help }
  })
}

/** The settings as a Markdown table, for the documentation. */
export function settingsTable(): string {
  const rows = describeSettings().map((row) => `| ${variablesOf(row.name, '`')} | ${row.default} | ${row.help} |\n`)
  return `| variable | default | what it does |\n| --- | --- | --- |\n${rows.join('')}`
}

function helpText(): string {
  const rows = describeSettings().map(
    (row) => `  ${row.flag}  (${variablesOf(row.name)})  ${row.default}\n      ${row.help}`,
  )
  return `landfall: a resumable upload service\n\nFlags, their environment variables, and defaults:\n\n${rows.join('\n')}\n`
}

function variablesOf(name: string, quote = ''): string {
  const names = isSecret(name) ? [name, `${name}_FILE`] : [name]
  return names.map((name) => `${quote}${name}${quote}`).join(', ')
}

function isSecret(name: string): boolean {
  return Object.entries(declaration.shape).some(
    ([key, schema]) => key === name && descriptions.get(schema)?.isSecret === true,
  )
}

function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function setting<T>(fallback: string, help: string, schema: z.ZodType<T, string>, unit?: string) {
  const shown = unit === undefined ? fallback : `${fallback} ${unit}`
  return schema.prefault(fallback).register(descriptions, { default: shown, help })
}

/** A setting that no error, help, or log shows. Empty for none. */
function secret(help: string, schema: z.ZodType<string, string>) {
  return schema.prefault('').register(descriptions, { default: '', help, isSecret: true })
}
