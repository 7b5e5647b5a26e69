import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { describeSettings } from '../server/describe-settings.ts'
import { parseSettings, readSettings } from '../server/read-settings.ts'
import type { Settings } from '../server/settings.ts'
import { temporaryFolder } from './support/folder.ts'

const MAIN = fileURLToPath(new URL('../dist/program/main.js', import.meta.url))
const NAMES = describeSettings().map(({ name }) => name)
const SECRETS = [
  'SECRET',
  'JWT_SECRET',
  'TOKEN_KEY',
  'WEBHOOK_SECRET',
  'HOOKS_SECRET',
  'S3_SECRET_ACCESS_KEY',
  'ADMIN_TOKEN',
]
const LONG = 'A secret of 32 characters, or a few more'

function settingsOf(environment: Record<string, string>, args: readonly string[] = []): Settings {
  const asked = readSettings(environment, args)
  if (asked.kind !== 'run') throw new Error('Unexpected help.')
  return asked.settings
}

describe('Settings', () => {
  it('have these names and defaults', () => {
    expect(settingsOf({})).toEqual({
      HOST: '127.0.0.1',
      PORT: 1080,
      DATA_DIR: './data',
      STORE: 'disk',
      S3_BUCKET: '',
      S3_ENDPOINT: '',
      S3_REGION: 'us-east-1',
      S3_ACCESS_KEY_ID: '',
      S3_SECRET_ACCESS_KEY: '',
      S3_PREFIX: '.landfall/',
      S3_KEY: 'files/{folder}/{id}/{name}',
      S3_PART_SIZE: 8 * 2 ** 20,
      S3_PARALLEL: 4,
      S3_MEMORY: 256 * 2 ** 20,
      S3_FLUSH_AFTER: 30,
      S3_DOWNLOADS: 'proxy',
      FILE_MODE: 0o640,
      DIR_MODE: 0o750,
      FOLDER: '',
      MAX_SIZE: Number.POSITIVE_INFINITY,
      MAX_METADATA: 8192,
      QUOTA_BYTES: Number.POSITIVE_INFINITY,
      QUOTA_FILES: Number.POSITIVE_INFINITY,
      QUOTA_UNFINISHED: 100_000,
      TOTAL_BYTES: Number.POSITIVE_INFINITY,
      TOTAL_FILES: Number.POSITIVE_INFINITY,
      TOTAL_UNFINISHED: Number.POSITIVE_INFINITY,
      CREATIONS_PER_MINUTE: 6000,
      REQUESTS_PER_MINUTE: Number.POSITIVE_INFINITY,
      MIN_FREE: 2 ** 30,
      MIN_FREE_INODES: 10_000,
      MAX_CHUNKS: 100_000,
      ALLOWED_TYPES: [],
      SCAN_CMD: undefined,
      SCAN_URL: undefined,
      SCAN_CLAMD: undefined,
      SCAN_TIMEOUT: 600,
      SCAN_CONCURRENCY: 2,
      QUARANTINE_SIZE: 2 ** 30,
      MAX_CONNECTIONS: 0,
      MAX_UPLOADS: 0,
      EXPIRES_AFTER: 604_800,
      SYNC: 'finish',
      IDLE_TIMEOUT: 60_000,
      DRAIN: 30,
      PUBLIC_URL: '',
      DOWNLOAD_URL: '',
      ALLOWED_ORIGINS: new Set(),
      ALLOWED_HOSTS: new Set(),
      TRUST_PROXY: 'false',
      INTERIM_RESPONSES: 'direct',
      DIALECTS: [],
      LEGACY_IDENTITY: ['task_id', 'id', 'name', 'size', 'lastModifiedDate', 'chunks'],
      LEGACY_CHECK: 'list',
      AUTH: 'none',
      JWT_SECRET: '',
      JWKS_URL: '',
      JWT_ALGORITHMS: ['RS256', 'ES256', 'EdDSA'],
      JWT_AUDIENCE: '',
      JWT_ISSUER: '',
      AUTH_COOKIE: '',
      AUTH_FIELD: '',
      TOKEN_KEY: '',
      AUTH_URL: '',
      AUTH_SUBJECT_HEADER: 'Remote-User',
      UNOWNED_UPLOADS: 'none',
      HOOKS_URL: '',
      HOOKS_DIR: '',
      HOOKS_EVENTS: new Set(['pre-create', 'post-create', 'post-receive', 'post-terminate', 'post-finish']),
      HOOKS_TIMEOUT: 15_000,
      HOOKS_RETRIES: 2,
      HOOKS_BACKOFF: 1000,
      HOOKS_FORWARD_HEADERS: [],
      HOOKS_SECRET: '',
      PROGRESS_INTERVAL: 1000,
      WEBHOOK_EVENTS: ['finished', 'failed', 'rejected', 'deleted', 'expired'],
      WEBHOOK_SECRET: '',
      WEBHOOK_TIMEOUT: 20,
      WEBHOOK_URLS: [],
      DOWNLOADS: 'on',
      TERMINATION: 'on',
      INSTANT: 'off',
      SECRET: '',
      LOG_LEVEL: 'info',
      LOG_FORMAT: 'json',
      ACCESS_LOG: 'off',
      AUDIT_LOG: '',
      NODE: '',
      NODE_NAME: '',
      ADMIN_PORT: undefined,
      ADMIN_HOST: '127.0.0.1',
      ADMIN_TOKEN: '',
      ADMIN_NODES: [],
      ADMIN_CLAIM: undefined,
      SHUTDOWN_DELAY: 0,
      KEEP_ALIVE: 65,
      UNIX_SOCKET: '',
      BASE_PATH: '',
    })
  })

  it.each<[string, string, unknown]>([
    ['HOST', '0.0.0.0', '0.0.0.0'],
    ['PORT', '0', 0],
    ['PORT', '65535', 65_535],
    ['MAX_SIZE', '0', Number.POSITIVE_INFINITY],
    ['MAX_SIZE', '9007199254740991', Number.MAX_SAFE_INTEGER],
    ['FILE_MODE', '0600', 0o600],
    ['FILE_MODE', '664', 0o664],
    ['DIR_MODE', '0775', 0o775],
    ['SYNC', 'always', 'always'],
    ['SYNC', 'never', 'never'],
    ['DRAIN', '0', 0],
    ['PUBLIC_URL', 'https://up.example/base/', 'https://up.example/base'],
    ['DOWNLOAD_URL', 'https://files.example/', 'https://files.example'],
    ['ALLOWED_ORIGINS', '*', '*'],
    [
      'ALLOWED_ORIGINS',
      'https://a.example,http://b.example:8080',
      new Set(['https://a.example', 'http://b.example:8080']),
    ],
    ['ALLOWED_ORIGINS', '', new Set()],
    ['ALLOWED_HOSTS', '*', '*'],
    ['ALLOWED_HOSTS', '', new Set()],
    ['ALLOWED_HOSTS', 'Up.Example, files.example. ,10.0.0.1', new Set(['up.example', 'files.example', '10.0.0.1'])],
    ['ALLOWED_HOSTS', '::1,[2001:db8::1]', new Set(['[::1]', '[2001:db8::1]'])],
    ['LEGACY_IDENTITY', 'guid, name ,size', ['guid', 'name', 'size']],
    ['LEGACY_CHECK', 'safe', 'safe'],
    ['FOLDER', '{yyyy}/{mm}-{dd}/of {owner}/{id}', '{yyyy}/{mm}-{dd}/of {owner}/{id}'],
    ['TRUST_PROXY', 'true', 'true'],
    ['INTERIM_RESPONSES', 'always', 'always'],
    ['S3_PREFIX', '', ''],
    ['S3_KEY', '{owner}/{id}', '{owner}/{id}'],
    ['S3_DOWNLOADS', 'redirect', 'redirect'],
  ])('accept %s=%s', (name, text, value) => {
    expect(Object.entries(settingsOf({ [name]: text })).find(([key]) => key === name)?.[1]).toEqual(value)
  })

  it.each([
    ['HOST', ''],
    ['HOST', '  '],
    ['PORT', 'http'],
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', '0x50'],
    ['PORT', '1e3'],
    ['PORT', ''],
    ['DATA_DIR', ''],
    ['MAX_SIZE', '10MB'],
    ['MAX_SIZE', '-1'],
    ['MAX_SIZE', '9007199254740992'],
    ['MAX_CHUNKS', '0'],
    ['EXPIRES_AFTER', '0'],
    ['EXPIRES_AFTER', 'never'],
    ['FILE_MODE', '440'],
    ['FILE_MODE', '0750'],
    ['FILE_MODE', '0666'],
    ['FILE_MODE', 'rw-r-----'],
    ['DIR_MODE', '0640'],
    ['DIR_MODE', '777'],
    ['DIR_MODE', '1750'],
    ['FOLDER', '/srv'],
    ['FOLDER', 'a/../b'],
    ['FOLDER', '..'],
    ['FOLDER', 'a//b'],
    ['FOLDER', 'a/'],
    ['FOLDER', '.hidden'],
    ['FOLDER', 'a\\b'],
    ['FOLDER', 'a '],
    ['FOLDER', '{year}'],
    ['FOLDER', '{constructor}'],
    ['FOLDER', '{yyyy'],
    ['FOLDER', 'a}'],
    ['FOLDER', `${'a/'.repeat(16)}a`],
    ['FOLDER', 'a'.repeat(256)],
    ['SYNC', 'Always'],
    ['SYNC', ''],
    ['IDLE_TIMEOUT', '0'],
    ['IDLE_TIMEOUT', '60s'],
    ['DRAIN', '-1'],
    ['PUBLIC_URL', 'up.example'],
    ['PUBLIC_URL', 'ftp://up.example'],
    ['PUBLIC_URL', 'https://up.example/?a=b'],
    ['PUBLIC_URL', 'https://up.example/#a'],
    ['ALLOWED_ORIGINS', 'pages.example'],
    ['ALLOWED_ORIGINS', 'https://pages.example/'],
    ['ALLOWED_ORIGINS', 'https://pages.example/path'],
    ['ALLOWED_ORIGINS', 'https://a.example,,https://b.example'],
    ['ALLOWED_ORIGINS', '*,https://a.example'],
    ['ALLOWED_ORIGINS', 'https://*.example.com'],
    ['ALLOWED_ORIGINS', 'https://a.example,https://b.example:*'],
    ['ALLOWED_ORIGINS', 'null'],
    ['DOWNLOAD_URL', 'files.example'],
    ['ALLOWED_HOSTS', 'https://up.example'],
    ['ALLOWED_HOSTS', 'up.example:8080'],
    ['ALLOWED_HOSTS', '*.example.com'],
    ['ALLOWED_HOSTS', '*,up.example'],
    ['ALLOWED_HOSTS', 'up.example,'],
    ['ALLOWED_HOSTS', 'up example'],
    ['ALLOWED_HOSTS', 'me@up.example'],
    ['TRUST_PROXY', 'yes'],
    ['INTERIM_RESPONSES', 'sometimes'],
    ['STORE', 'tape'],
    ['S3_PREFIX', 'without-slash'],
    ['S3_PREFIX', '/a/'],
    ['S3_KEY', 'files/{name}'],
    ['S3_KEY', '{id}/{unknown}'],
    ['S3_KEY', '/{id}'],
    ['S3_PART_SIZE', '1048576'],
    ['LEGACY_IDENTITY', ''],
    ['LEGACY_IDENTITY', 'name,,size'],
    ['LEGACY_CHECK', 'LIST'],
    ['LOG_LEVEL', 'loud'],
    ['LOG_FORMAT', 'text'],
    ['ACCESS_LOG', 'yes'],
    ['NODE', 'A'],
    ['NODE', 'a-'],
    ['NODE', 'abcde'],
    ['NODE_NAME', 'a b'],
    ['ADMIN_PORT', '70000'],
    ['ADMIN_TOKEN', 'short'],
    ['ADMIN_NODES', 'http://127.0.0.1:9090/admin'],
    ['ADMIN_NODES', 'a=ftp://127.0.0.1'],
    ['ADMIN_CLAIM', 'admin'],
    ['KEEP_ALIVE', '0'],
    ['UNIX_SOCKET', '/run/landfall.sock'],
    ['BASE_PATH', '/uploads/'],
  ])('refuse %s="%s" in a sentence that names it', (name, text) => {
    expect(() => settingsOf({ [name]: text })).toThrow(new RegExp(`^${name} must .*\\.$`))
    expect(() => settingsOf({}, [`--${flag(name)}=${text}`])).toThrow(new RegExp(`^${name} must .*\\.$`))
  })

  it('accept any value, or refuse it in a sentence that names the setting', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', ' ', '0', '-1', '1.5', '1e3', '0x1', 'true', '*', ',', 'a,b', '٣', '9'.repeat(30)),
      fc.maxSafeNat().map(String),
      fc.webUrl({ withFragments: true, withQueryParameters: true }),
    )
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), text, (name, said) => {
        try {
          const value = Object.entries(settingsOf({ [name]: said })).find(([key]) => key === name)?.[1]
          if (typeof value === 'number' && Number.isFinite(value)) expect(BigInt(octal(name, said))).toBe(BigInt(value))
        } catch (error) {
          const message = error instanceof Error ? error.message : ''
          expect(message.startsWith(`${name} must `) && message.endsWith('.')).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('are read from flags before the environment', () => {
    const settings = settingsOf({ PORT: '1111', SYNC: 'never' }, ['--port', '2222', '--legacy-check=list'])
    expect(settings).toMatchObject({ PORT: 2222, SYNC: 'never', LEGACY_CHECK: 'list' })
    expect(settingsOf({ PORT: 'wrong' }, ['--port', '3333']).PORT).toBe(3333)
  })

  it('ignore the path of Node, which npm has in NODE for its scripts', () => {
    for (const text of ['/usr/bin/node', 'C:\\Program Files\\nodejs\\node.exe']) {
      expect(settingsOf({ NODE: text }).NODE).toBe('')
      expect(settingsOf({ NODE: text }, ['--node=b']).NODE).toBe('b')
    }
  })

  it('are all reported when several are wrong, one a line, and each once', () => {
    expect(() => settingsOf({ PORT: 'http', LEGACY_IDENTITY: ',,' }, ['--sync=sometimes'])).toThrow(
      new Error(
        [
          'PORT must be a whole number from 0 to 65535.',
          'SYNC must be one of finish, always, never.',
          'LEGACY_IDENTITY must be names separated by commas.',
        ].join('\n'),
      ),
    )
  })

  it.each(['size', 'landfall_file', 'md5'])('refuse a token field that identifies a file (%s)', (AUTH_FIELD) => {
    const texts = { AUTH_FIELD, LEGACY_IDENTITY: 'task_id,name,size,md5', JWT_SECRET: 'x'.repeat(32) }
    expect(() => parseSettings({ ...texts, AUTH: 'jwt' })).toThrow(
      new Error('AUTH_FIELD must not name a field that WebUploader or LEGACY_IDENTITY uses.'),
    )
    expect(parseSettings(texts).AUTH).toBe('none')
  })

  it('each have a flag, which is described', () => {
    for (const { name, flag: described, help } of describeSettings()) {
      expect(described).toBe(`--${flag(name)}${SECRETS.includes(name) ? '-file' : ''}`)
      expect(help).toMatch(/^[A-Z].*\.$/)
    }
    expect(Object.keys(parseSettings({}))).toEqual(NAMES)
  })

  it.each([['--prot=1'], ['--port'], ['stray']])('refuse %s', (arg) => {
    expect(() => settingsOf({}, [arg])).toThrow()
  })
})

describe('A secret', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let file: string
  beforeEach(async () => {
    folder = await temporaryFolder()
    file = path.join(folder.path, 'secret')
    writeFileSync(file, `${LONG}\n`)
  })
  afterEach(() => folder.dispose())

  it('is read from its variable or from a file, without the line end', () => {
    expect(settingsOf({ SECRET: LONG }).SECRET).toBe(LONG)
    expect(settingsOf({ SECRET_FILE: file }).SECRET).toBe(LONG)
    expect(settingsOf({ SECRET: '', SECRET_FILE: file }).SECRET).toBe(LONG)
    expect(settingsOf({ SECRET: LONG, SECRET_FILE: '' }).SECRET).toBe(LONG)
    expect(settingsOf({ SECRET_FILE: '/nowhere' }, ['--secret-file', file]).SECRET).toBe(LONG)
    writeFileSync(file, ` ${LONG} \r\n`)
    expect(settingsOf({ SECRET_FILE: file }).SECRET).toBe(` ${LONG} `)
  })

  it('is refused as a flag, which other users can see', () => {
    for (const args of [['--secret', LONG], [`--secret=${LONG}`]]) {
      expect(() => settingsOf({}, args)).toThrow(/^SECRET must not be a flag, .* SECRET_FILE\.$/)
    }
  })

  it('is refused when it is given twice, or its file is missing or empty', () => {
    expect(() => settingsOf({ SECRET: LONG, SECRET_FILE: file })).toThrow(
      'SECRET must not be set together with SECRET_FILE.',
    )
    expect(() => settingsOf({ SECRET_FILE: '/nowhere' })).toThrow('SECRET_FILE must be readable: /nowhere (ENOENT).')
    writeFileSync(file, '\n')
    expect(() => settingsOf({ SECRET_FILE: file })).toThrow(/^SECRET_FILE must not be empty/)
  })

  it('of less than 32 characters is refused without being shown, also from a file', () => {
    const short = 'x'.repeat(31)
    writeFileSync(file, short)
    for (const environment of [{ SECRET: short }, { SECRET_FILE: file }]) {
      expect(() => settingsOf(environment)).toThrow(/^SECRET must have at least 32 characters; make one with: openssl/)
      expect(() => settingsOf(environment)).not.toThrow(short)
    }
  })
})

describe('The program', () => {
  function run(environment: Record<string, string>, args: readonly string[]): ReturnType<typeof finished> {
    return finished(spawnSync(process.execPath, [MAIN, ...args], { env: { ...environment }, encoding: 'utf8' }))
  }
  const finished = ({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }) => ({
    status,
    stdout,
    stderr,
  })

  it('names every setting with its flag in --help', () => {
    const { status, stdout, stderr } = run({}, ['--help'])
    expect([status, stderr]).toEqual([0, ''])
    for (const name of NAMES) {
      const file = SECRETS.includes(name)
      expect(stdout).toContain(`--${flag(name)}${file ? '-file' : ''} `)
      expect(stdout).toContain(file ? `(${name}, ${name}_FILE)` : `(${name})`)
    }
  })

  it.each(['doctor', 'import', 'token', 'webhooks'])('explains landfall %s', (command) => {
    const { status, stdout, stderr } = run({}, [command, '--help'])
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(new RegExp(`^landfall ${command} `))
  })

  it.each([
    [{ PORT: 'x' }, [], 'PORT must be a whole number from 0 to 65535.\n'],
    [{}, ['--sync', 'sometimes'], 'SYNC must be one of finish, always, never.\n'],
    [{ PORT: '1' }, ['--port', '-1'], undefined],
  ])(
    'does not start with %j and %j, reports the reason in a line, and leaves no directory',
    async (environment, args, line) => {
      const folder = await temporaryFolder()
      try {
        const { status, stdout, stderr } = run({ ...environment, DATA_DIR: `${folder.path}/data` }, args)
        expect([status, stdout]).toEqual([1, ''])
        if (line !== undefined) expect(stderr).toBe(line)
        expect(stderr).not.toMatch(/\n\s+at /)
        expect(readdirSync(folder.path)).toEqual([])
      } finally {
        await folder.dispose()
      }
    },
  )
})

function flag(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** Permissions are octal numbers. */
function octal(name: string, text: string): string {
  return name.endsWith('_MODE') ? `0o${text}` : text
}
