import { isIPv6 } from 'node:net'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { isFileType } from './gate/file-types.ts'
import { parseAuthority } from './http/host.ts'

/** The documentation of a setting: its default, with the unit, and its meaning. */
const descriptions = z.registry<{ readonly default: string; readonly help: string }>()

/**
 * Every setting: an environment variable, and a flag of the same name. The message of each schema is the end of a
 * sentence that begins with the setting's name.
 */
const declaration = z.object({
  HOST: setting('127.0.0.1', 'Address to listen on.', nonEmpty()),
  PORT: setting('1080', 'Port to listen on; 0 picks a free one.', wholeBetween(0, 65_535)),
  DATA_DIR: setting('./data', 'Directory for uploads and finished files.', nonEmpty()),
  MAX_SIZE: setting('0', 'Maximum file size; 0 = unlimited.', sizeLimit(), 'bytes'),
  MAX_CHUNKS: setting('100000', 'Maximum chunks per WebUploader file.', wholeBetween(1, 10_000_000)),
  ALLOWED_TYPES: setting(
    '',
    'Types of files that are accepted: a comma-separated list of extensions (.pdf) and MIME types (application/pdf, image/*). The content must match the extension. Empty = all.',
    fileTypes(),
  ),
  SCAN_CMD: setting(
    '',
    'Command that scans each file before it becomes visible: the file is its standard input; exit code 0 = clean, 1 = rejected, anything else = scanned again later. No shell; arguments are separated by spaces.',
    command(),
  ),
  SCAN_URL: setting(
    '',
    'URL that each file is posted to before it becomes visible: 200 or 204 = clean, 422 = rejected, anything else = scanned again later.',
    scanUrl(),
  ),
  SCAN_CLAMD: setting(
    '',
    'Address of the clamd that scans each file before it becomes visible: host:port, or the path of its socket.',
    socketAddress(),
  ),
  SCAN_TIMEOUT: setting('600', 'Maximum duration of a scan.', wholeBetween(1, 1_000_000), 'seconds'),
  SCAN_CONCURRENCY: setting('2', 'Maximum files that are scanned at once; others wait.', wholeBetween(1, 1_000)),
  QUARANTINE_SIZE: setting(
    '1073741824',
    'Maximum size of all rejected files that are kept in quarantine; the oldest are deleted first. 0 = none is kept.',
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
  ALLOWED_ORIGINS: setting(
    '',
    'Origins whose pages may upload: a comma-separated list, or * for all.',
    allOrSome(origin()),
  ),
  ALLOWED_HOSTS: setting(
    '',
    'Host names that clients may use: a comma-separated list, or * for all. Always allowed: addresses, names without a dot, local names (.local, .lan, .internal, .home.arpa, .svc), HOST, and the host of PUBLIC_URL. Requests through a trusted proxy are not checked.',
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
  JWT_SECRET: setting('', 'Secret of tokens that are signed with HS256; at least 32 bytes.', longSecret()),
  JWKS_URL: setting('', 'URL of the public keys of tokens (JWKS).', httpUrl()),
  JWT_ALGORITHMS: setting(
    'RS256,ES256,EdDSA',
    'Algorithms that tokens with keys of JWKS_URL may have: a comma-separated list of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519.',
    publicKeyAlgorithms(),
  ),
  JWT_AUDIENCE: setting('', 'Audience (aud) that tokens must have.', z.string()),
  JWT_ISSUER: setting(
    '',
    'Issuer (iss) that tokens must have; also the issuer of subjects that come without one.',
    z.string(),
  ),
  AUTH_COOKIE: setting('', 'Cookie that may hold a token, for AUTH=jwt.', cookieName()),
  AUTH_FIELD: setting(
    '',
    'Field of WebUploader pages that may hold a token, in the form or the query.',
    z.string().trim(),
  ),
  TOKEN_KEY: setting(
    '',
    'Key with which an application may create upload tokens (POST /tokens), for AUTH=jwt; at least 32 bytes. Without it, no request may.',
    longSecret(),
  ),
  AUTH_URL: setting('', 'URL that is asked about each request, for AUTH=forward.', httpUrl()),
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
    'Who may download: on (whoever may read the upload), signed (only clients with a signed link), off.',
    oneOf('on', 'signed', 'off'),
  ),
  TERMINATION: setting(
    'on',
    'What clients may delete: on (their uploads), unfinished (only unfinished ones), off (nothing).',
    oneOf('on', 'unfinished', 'off'),
  ),
  SECRET: setting('', 'Key for the ids of WebUploader uploads; without it, one is kept in DATA_DIR.', z.string()),
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
  const options = Object.fromEntries(names.map((name) => [flagOf(name), { type: 'string' as const }]))
  const { values } = parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean' } } })
  if (values.help === true) return { kind: 'help', text: helpText() }
  const flags = new Map(Object.entries(values))
  const texts = names.map((name) => [name, flags.get(flagOf(name)) ?? environment[name]])
  return { kind: 'run', settings: parseSettings(Object.fromEntries(texts)) }
}

/** @throws Error with a sentence for every value that is wrong, one a line. */
export function parseSettings(texts: SettingTexts): Settings {
  const settings = parse(declaration, texts)
  const conflicts = conflictsIn(settings)
  if (conflicts.length > 0) throw new Error(conflicts.join('\n'))
  return settings
}

/** A sentence for everything that settings need of each other and lack. */
function conflictsIn({ AUTH, JWT_SECRET, JWKS_URL, TOKEN_KEY, AUTH_URL }: Settings): readonly string[] {
  return [
    ...(AUTH === 'jwt' && JWT_SECRET === '' && JWKS_URL === '' && TOKEN_KEY === ''
      ? ['AUTH=jwt needs JWT_SECRET, JWKS_URL, or TOKEN_KEY.']
      : []),
    ...(JWT_SECRET !== '' && JWKS_URL !== '' ? ['JWT_SECRET and JWKS_URL exclude each other.'] : []),
    ...(AUTH === 'forward' && AUTH_URL === '' ? ['AUTH=forward needs AUTH_URL.'] : []),
  ]
}

/** Only the data directory, whatever the other settings are. @throws Error with a sentence when it is wrong. */
export function parseDataDir(text: string | undefined): string {
  return parse(declaration.pick({ DATA_DIR: true }), { DATA_DIR: text }).DATA_DIR
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
    return { name, flag: `--${flagOf(name)}`, default: fallback, help }
  })
}

/** The settings as a Markdown table, for the documentation. */
export function settingsTable(): string {
  const rows = describeSettings().map((row) => `| \`${row.name}\` | ${row.default} | ${row.help} |\n`)
  return `| variable | default | what it does |\n| --- | --- | --- |\n${rows.join('')}`
}

function helpText(): string {
  const rows = describeSettings().map((row) => `  ${row.flag}  (${row.name})  ${row.default}\n      ${row.help}`)
  return `landfall: a resumable upload service\n\nFlags, their environment variables, and defaults:\n\n${rows.join('\n')}\n`
}

function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function setting<T>(fallback: string, help: string, schema: z.ZodType<T, string>, unit?: string) {
  const shown = unit === undefined ? fallback : `${fallback} ${unit}`
  return schema.prefault(fallback).register(descriptions, { default: shown, help })
}

function nonEmpty() {
  return z.string().regex(/\S/, 'must not be empty')
}

function wholeBetween(least: number, most: number) {
  const isWithin = (text: string): boolean => /^\d{1,16}$/.test(text) && Number(text) >= least && Number(text) <= most
  return z.string().refine(isWithin, `must be a whole number from ${least} to ${most}`).transform(Number)
}

function sizeLimit() {
  return wholeBetween(0, Number.MAX_SAFE_INTEGER).transform((bytes) => (bytes === 0 ? Number.POSITIVE_INFINITY : bytes))
}

function oneOf<const T extends string>(...values: readonly T[]) {
  return z.enum(values, `must be one of ${values.join(', ')}`)
}

function names() {
  const name = z.string().trim().min(1, 'must be names separated by commas')
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(name))
}

/** `*` for all, or a set of entries, separated by commas. */
function allOrSome(entry: z.ZodType<string, string>) {
  const all = z.string().trim().pipe(z.literal('*'))
  const none = z
    .string()
    .trim()
    .length(0)
    .transform(() => new Set<string>())
  const some = names()
    .pipe(z.array(entry))
    .transform((entries) => new Set(entries))
  return z.union([all, none, some], { error: ({ errors }) => errors?.at(-1)?.[0]?.message })
}

function origin() {
  return z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text, {
    error: ({ input }) => `must be origins like https://example.com, not ${input}`,
  })
}

function host() {
  return z.string().transform((name, context) => {
    const authority = parseAuthority(isIPv6(name) ? `[${name}]` : name)
    if (authority !== undefined && authority.port === '' && !name.endsWith(':')) return authority.host
    context.addIssue(`must be host names like uploads.example.com, without scheme, port, or *, not ${name}`)
    return z.NEVER
  })
}

/** Extensions and MIME types, in lower case, separated by commas; empty for all. */
function fileTypes() {
  const type = z.string().refine(isFileType, {
    error: ({ input }) =>
      `must be extensions like .jpg, known MIME types like image/png, or kinds like image/*, not ${input}`,
  })
  const none = z.literal('').transform((): string[] => [])
  return z.union([none, names().pipe(z.array(z.string().toLowerCase().pipe(type)))], {
    error: ({ errors }) => errors?.at(-1)?.[0]?.message,
  })
}

/** A program and its arguments; `undefined` for none. */
function command() {
  return z.string().transform((text): readonly [string, ...string[]] | undefined => {
    const [program = '', ...args] = text.trim().split(/\s+/)
    return program === '' ? undefined : [program, ...args]
  })
}

/** `undefined` for none. */
function scanUrl() {
  return httpUrl().transform((text) => (text === '' ? undefined : new URL(text)))
}

/** A host and a port, or the path of a socket; `undefined` for none. */
function socketAddress() {
  return z.string().transform((text, context) => {
    if (text === '') return undefined
    if (text.startsWith('/')) return { path: text }
    const authority = parseAuthority(text)
    if (authority !== undefined && authority.port !== '') {
      return { host: authority.host.replace(/^\[|\]$/g, ''), port: Number(authority.port) }
    }
    context.addIssue('must be host:port, or the path of a socket')
    return z.NEVER
  })
}

/** Empty for none. */
function longSecret() {
  const isLong = (text: string): boolean => text === '' || Buffer.byteLength(text) >= 32
  return z.string().refine(isLong, 'must have at least 32 bytes')
}

/** Empty for none. */
function httpUrl() {
  const isHttp = (text: string): boolean =>
    text === '' || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
  return z.string().refine(isHttp, 'must be a URL that begins with http:// or https://')
}

/** Never one of HMAC, whose secret would be public. */
function publicKeyAlgorithms() {
  const algorithm = oneOf(
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  )
  return names().pipe(z.array(algorithm))
}

/** A token of RFC 9110; empty for none. */
function cookieName() {
  return z.string().regex(/^[\w!#$%&'*+.^`|~-]*$/, 'must be the name of a cookie')
}

function unownedUploads() {
  return z.string().transform((text, context) => {
    if (text === 'nobody' || text === 'everyone') return text
    const subject = /^sub:(.+)$/s.exec(text)?.[1]
    if (subject !== undefined) return { subject }
    context.addIssue('must be nobody, everyone, or sub:NAME')
    return z.NEVER
  })
}

/** Without a slash at its end; empty for none. */
function publicUrl() {
  const isPublic = (text: string): boolean => {
    if (text === '') return true
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  }
  return z
    .string()
    .refine(isPublic, 'must be a URL that begins with http:// or https://')
    .transform((text) => (text === '' ? '' : new URL(text).href.replace(/\/+$/, '')))
}
