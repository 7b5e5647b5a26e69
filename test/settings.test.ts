import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { describeSettings, parseSettings, readSettings, type Settings } from '../server/settings.ts'
import { temporaryFolder } from './support/folder.ts'

const MAIN = fileURLToPath(new URL('../dist/server/main.js', import.meta.url))
const NAMES = describeSettings().map(({ name }) => name)

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
      MAX_SIZE: Number.POSITIVE_INFINITY,
      MAX_CHUNKS: 100_000,
      MAX_CONNECTIONS: 0,
      MAX_UPLOADS: 0,
      EXPIRES_AFTER: 604_800,
      SYNC: 'finish',
      IDLE_TIMEOUT: 60_000,
      DRAIN: 30,
      PUBLIC_URL: '',
      ALLOWED_ORIGINS: new Set(),
      ALLOWED_HOSTS: new Set(),
      TRUST_PROXY: 'false',
      INTERIM_RESPONSES: 'direct',
      LEGACY_IDENTITY: ['task_id', 'id', 'name', 'size', 'lastModifiedDate', 'chunks'],
      LEGACY_CHECK: 'list',
      SECRET: '',
      LOG_LEVEL: 'info',
    })
  })

  it.each<[string, string, unknown]>([
    ['HOST', '0.0.0.0', '0.0.0.0'],
    ['PORT', '0', 0],
    ['PORT', '65535', 65_535],
    ['MAX_SIZE', '0', Number.POSITIVE_INFINITY],
    ['MAX_SIZE', '9007199254740991', Number.MAX_SAFE_INTEGER],
    ['SYNC', 'always', 'always'],
    ['SYNC', 'never', 'never'],
    ['DRAIN', '0', 0],
    ['PUBLIC_URL', 'https://up.example/base/', 'https://up.example/base'],
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
    ['TRUST_PROXY', 'true', 'true'],
    ['INTERIM_RESPONSES', 'always', 'always'],
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
    ['ALLOWED_HOSTS', 'https://up.example'],
    ['ALLOWED_HOSTS', 'up.example:8080'],
    ['ALLOWED_HOSTS', '*.example.com'],
    ['ALLOWED_HOSTS', '*,up.example'],
    ['ALLOWED_HOSTS', 'up.example,'],
    ['ALLOWED_HOSTS', 'up example'],
    ['ALLOWED_HOSTS', 'me@up.example'],
    ['TRUST_PROXY', 'yes'],
    ['INTERIM_RESPONSES', 'sometimes'],
    ['LEGACY_IDENTITY', ''],
    ['LEGACY_IDENTITY', 'name,,size'],
    ['LEGACY_CHECK', 'LIST'],
    ['LOG_LEVEL', 'loud'],
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
          if (typeof value === 'number' && Number.isFinite(value)) expect(BigInt(said)).toBe(BigInt(value))
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
      expect(described).toBe(`--${flag(name)}`)
      expect(help).toMatch(/^[A-Z].*\.$/)
    }
    expect(Object.keys(parseSettings({}))).toEqual(NAMES)
  })

  it.each([['--prot=1'], ['--port'], ['stray']])('refuse %s', (arg) => {
    expect(() => settingsOf({}, [arg])).toThrow()
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
      expect(stdout).toContain(`--${flag(name)} `)
      expect(stdout).toContain(`(${name})`)
    }
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
