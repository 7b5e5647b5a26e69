import { isIPv6 } from 'node:net'
import { parseArgs } from 'node:util'
import type { AllowedHosts } from './http/allowed-hosts.ts'
import type { AllowedOrigins } from './http/cors.ts'
import { parseAuthority } from './http/host.ts'

/** One setting: an environment variable, and a flag of the same name. */
interface Setting<T> {
  readonly help: string
  /** As a person would write it; empty when nothing is set. */
  readonly default: string
  readonly unit?: string
  /** @throws Error with the end of a sentence that begins with the setting's name. */
  readonly parse: (text: string) => T
}

/** Every setting, declared once: `--help` and the README's table come from here. */
export const declaration = {
  HOST: setting('127.0.0.1', 'Address to listen on.', word),
  PORT: setting('1080', 'Port to listen on; 0 picks a free one.', wholeBetween(0, 65_535)),
  DATA_DIR: setting('./data', 'Folder for uploads and finished files.', word),
  MAX_SIZE: setting('0', 'Maximum file size; 0 = unlimited.', sizeLimit, 'bytes'),
  MAX_CHUNKS: setting('100000', 'Maximum chunks per WebUploader file.', wholeBetween(1, 10_000_000)),
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
    publicUrl,
  ),
  ALLOWED_ORIGINS: setting('', 'Origins whose pages may upload: a comma-separated list, or * for all.', origins),
  ALLOWED_HOSTS: setting(
    '',
    'Host names that clients may use: a comma-separated list, or * for all. Always allowed: addresses, names without a dot, local names (.local, .lan, .internal, .home.arpa, .svc), HOST, and the host of PUBLIC_URL. Requests through a trusted proxy are not checked.',
    hosts,
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
    list,
  ),
  LEGACY_CHECK: setting(
    'list',
    'What /check lists if the page names no file: list (chunks that all unfinished uploads of the visitor’s task have), safe (nothing).',
    oneOf('safe', 'list'),
  ),
  SECRET: setting('', 'Key for the ids of WebUploader uploads; without it, one is kept in DATA_DIR.', anything),
  LOG_LEVEL: setting(
    'info',
    'Log level: fatal, error, warn, info, debug, trace, silent.',
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  ),
} as const

/** The settings, parsed. */
export type Settings = { readonly [K in keyof typeof declaration]: ReturnType<(typeof declaration)[K]['parse']> }

/** What a start was asked for. */
export type Asked =
  | { readonly kind: 'run'; readonly settings: Settings }
  | { readonly kind: 'help'; readonly text: string }

/**
 * Reads flags and environment variables; flags win.
 *
 * @throws Error with a sentence for the operator when a value or a flag is wrong.
 */
export function readSettings(environment: NodeJS.ProcessEnv, args: readonly string[]): Asked {
  const names = Object.keys(declaration)
  const options = Object.fromEntries(names.map((name) => [flagOf(name), { type: 'string' as const }]))
  const { values } = parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean' } }, strict: true })
  if (values.help === true) return { kind: 'help', text: helpText() }
  const flags = new Map(Object.entries(values))
  const textOf = (name: string): string | undefined => {
    const flag = flags.get(flagOf(name))
    return typeof flag === 'string' ? flag : environment[name]
  }
  return { kind: 'run', settings: parseSettings(textOf) }
}

/** The settings from texts by name; what has none gets its default. @throws Error with a sentence. */
export function parseSettings(textOf: (name: string) => string | undefined): Settings {
  const read = <T>(name: keyof typeof declaration, { parse, default: fallback }: Setting<T>): T => {
    try {
      return parse(textOf(name) ?? fallback)
    } catch (error) {
      throw new Error(`${name} ${error instanceof Error ? error.message : 'is wrong'}.`)
    }
  }
  return {
    HOST: read('HOST', declaration.HOST),
    PORT: read('PORT', declaration.PORT),
    DATA_DIR: read('DATA_DIR', declaration.DATA_DIR),
    MAX_SIZE: read('MAX_SIZE', declaration.MAX_SIZE),
    MAX_CHUNKS: read('MAX_CHUNKS', declaration.MAX_CHUNKS),
    EXPIRES_AFTER: read('EXPIRES_AFTER', declaration.EXPIRES_AFTER),
    SYNC: read('SYNC', declaration.SYNC),
    IDLE_TIMEOUT: read('IDLE_TIMEOUT', declaration.IDLE_TIMEOUT),
    MAX_CONNECTIONS: read('MAX_CONNECTIONS', declaration.MAX_CONNECTIONS),
    MAX_UPLOADS: read('MAX_UPLOADS', declaration.MAX_UPLOADS),
    DRAIN: read('DRAIN', declaration.DRAIN),
    PUBLIC_URL: read('PUBLIC_URL', declaration.PUBLIC_URL),
    ALLOWED_ORIGINS: read('ALLOWED_ORIGINS', declaration.ALLOWED_ORIGINS),
    ALLOWED_HOSTS: read('ALLOWED_HOSTS', declaration.ALLOWED_HOSTS),
    TRUST_PROXY: read('TRUST_PROXY', declaration.TRUST_PROXY),
    INTERIM_RESPONSES: read('INTERIM_RESPONSES', declaration.INTERIM_RESPONSES),
    LEGACY_IDENTITY: read('LEGACY_IDENTITY', declaration.LEGACY_IDENTITY),
    LEGACY_CHECK: read('LEGACY_CHECK', declaration.LEGACY_CHECK),
    SECRET: read('SECRET', declaration.SECRET),
    LOG_LEVEL: read('LOG_LEVEL', declaration.LOG_LEVEL),
  }
}

/** The settings as rows of a table: name, flag, default with unit, help. */
export function describeSettings(): readonly { name: string; flag: string; default: string; help: string }[] {
  return Object.entries(declaration).map(([name, { default: fallback, unit, help }]) => ({
    name,
    flag: `--${flagOf(name)}`,
    default: unit === undefined ? fallback : `${fallback} ${unit}`,
    help,
  }))
}

function helpText(): string {
  const rows = describeSettings().map((row) => `  ${row.flag}  (${row.name})  ${row.default}\n      ${row.help}`)
  return `landfall: a resumable upload service\n\nFlags, their environment variables, and defaults:\n\n${rows.join('\n')}\n`
}

function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function setting<T>(fallback: string, help: string, parse: (text: string) => T, unit?: string): Setting<T> {
  return { default: fallback, help, parse, ...(unit === undefined ? {} : { unit }) }
}

function anything(text: string): string {
  return text
}

function word(text: string): string {
  if (text.trim() === '') throw new Error('must not be empty')
  return text
}

function wholeBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (!(number >= least && number <= most)) throw new Error(`must be a whole number from ${least} to ${most}`)
    return number
  }
}

function sizeLimit(text: string): number {
  const bytes = wholeBetween(0, Number.MAX_SAFE_INTEGER)(text)
  return bytes === 0 ? Number.POSITIVE_INFINITY : bytes
}

function oneOf<const T extends string>(...allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((value) => value === text)
    if (found === undefined) throw new Error(`must be one of ${allowed.join(', ')}`)
    return found
  }
}

function list(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new Error('must be names separated by commas')
  return names
}

/** Without a slash at its end; empty for none. */
function publicUrl(text: string): string {
  if (text === '') return ''
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new Error('must be a URL that begins with http:// or https://')
  }
  return url.href.replace(/\/+$/, '')
}

function origins(text: string): AllowedOrigins {
  if (text.trim() === '*') return '*'
  if (text.trim() === '') return new Set()
  return new Set(
    list(text).map((origin) => {
      if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
        throw new Error(`must be origins like https://example.com, not ${origin}`)
      }
      return origin
    }),
  )
}

function hosts(text: string): AllowedHosts {
  if (text.trim() === '*') return '*'
  if (text.trim() === '') return new Set()
  return new Set(
    list(text).map((name) => {
      const authority = parseAuthority(isIPv6(name) ? `[${name}]` : name)
      if (authority === undefined || authority.port !== '' || name.endsWith(':')) {
        throw new Error(`must be host names like uploads.example.com, without scheme, port, or *, not ${name}`)
      }
      return authority.host
    }),
  )
}
