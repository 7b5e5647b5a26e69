import { describe, expect, it } from '@jest/globals'
import { parseSettings } from '../../server/read-settings.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProgram } from '../support/program.ts'
import { JWT_SECRET } from '../support/tokens.ts'

describe('The settings of authentication', () => {
  it.each([
    [{ AUTH: 'jwt' }, 'AUTH=jwt needs JWT_SECRET, JWKS_URL, or TOKEN_KEY.'],
    [{ AUTH: 'forward' }, 'AUTH=forward needs AUTH_URL.'],
    [{ AUTH: 'on' }, 'AUTH must be one of none, jwt, forward.'],
    [{ AUTH: 'jwt', JWT_SECRET: 'changeme' }, 'JWT_SECRET must have at least 32 bytes.'],
    [{ AUTH: 'jwt', TOKEN_KEY: 'changeme' }, 'TOKEN_KEY must have at least 32 characters of ASCII, without spaces.'],
    [
      { AUTH: 'jwt', JWT_SECRET, JWKS_URL: 'https://login.example/keys' },
      'JWT_SECRET and JWKS_URL exclude each other.',
    ],
    [{ AUTH: 'jwt', JWKS_URL: 'file:///etc/keys' }, 'JWKS_URL must be a URL that begins with http:// or https://.'],
    [
      { AUTH: 'jwt', JWKS_URL: 'https://a.example', JWT_ALGORITHMS: 'RS256,HS256' },
      /^JWT_ALGORITHMS must be one of RS256/,
    ],
    [{ UNOWNED_UPLOADS: 'alice' }, 'UNOWNED_UPLOADS must be none, everyone, or sub:NAME.'],
    [
      { AUTH: 'jwt', JWT_SECRET, AUTH_FIELD: 'token', LEGACY_IDENTITY: 'id,token' },
      'AUTH_FIELD must not name a field that WebUploader or LEGACY_IDENTITY uses.',
    ],
    [{ DOWNLOADS: 'maybe' }, 'DOWNLOADS must be one of on, signed, off.'],
    [{ TERMINATION: 'no' }, 'TERMINATION must be one of on, unfinished, off.'],
  ])('%j are refused', (settings, sentence) => {
    expect(() => parseSettings(settings)).toThrow(sentence)
  })

  it.each([
    ['JWT_AUDIENCE and JWT_ISSUER', {}],
    ['JWT_ISSUER', { JWT_AUDIENCE: 'uploads' }],
  ])('that are missing are named at the start: %s', async (names, settings) => {
    const folder = await temporaryFolder()
    const program = await startProgram({ AUTH: 'jwt', JWT_SECRET, ...settings, DATA_DIR: folder.path })
    await program.end('SIGTERM')
    expect(program.errors().match(/Tokens for other services count, too[^"]*/g)).toEqual([
      `Tokens for other services count, too, if their key is the same: set ${names}.`,
    ])
    await folder.dispose()
  })
})
