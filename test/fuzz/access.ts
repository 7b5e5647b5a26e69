import { createSecretKey } from 'node:crypto'
import { bearer, JWT_SECRET, signWith, tokenFor } from '../support/tokens.ts'

/** How the fuzzed program authenticates its clients. */
export const AUTHS = ['none', 'jwt'] as const
export type Auth = (typeof AUTHS)[number]

/** Where a request may have a token besides `Authorization`. */
export const TOKEN_COOKIE = 'session'
export const TOKEN_FIELD = 'token'
/** The key of `POST /tokens`. */
export const TOKEN_KEY = 'the-key-of-the-application-server-32+'

/** The settings of a program with `AUTH=jwt`. With an audience and an issuer, it starts without a notice. */
export const JWT_SETTINGS = {
  AUTH: 'jwt',
  JWT_SECRET,
  JWT_AUDIENCE: 'uploads',
  JWT_ISSUER: 'https://login.example',
  AUTH_COOKIE: TOKEN_COOKIE,
  AUTH_FIELD: TOKEN_FIELD,
  TOKEN_KEY,
} as const

/** The year 2100: the same tokens in every run, so a seed repeats the same requests. */
const FAR = Date.UTC(2100, 0) / 1000
const claims = { iss: JWT_SETTINGS.JWT_ISSUER, aud: JWT_SETTINGS.JWT_AUDIENCE, exp: FAR }

/** The token of the client that sends the fuzzed requests: it owns none of the kept uploads. */
export const STRANGER = await tokenFor('a stranger', claims)

/** Other valid tokens: with fewer rights, and of a client with a quota. */
export const NARROWED = await Promise.all([
  ...[{ may: ['read'] }, { may: [] }, { max_size: 100 }, { types: ['image/*'] }, { path: '/check' }].map((landfall) =>
    tokenFor('a stranger', { ...claims, landfall }),
  ),
  // A quota counts for all tokens of its client.
  tokenFor('another stranger', { ...claims, landfall: { quota: 200_000 } }),
])

const otherKey = createSecretKey('a secret of another application, 32+', 'utf8')
const unsigned = (text: string): string => Buffer.from(text).toString('base64url')
const [head = '', body = '', signature = ''] = STRANGER.split('.')

/** Tokens that prove nothing; most of them name the owner of the kept uploads. */
export const INVALID: readonly string[] = [
  await tokenFor('the owner', { ...claims, exp: 1_000_000_000 }),
  await tokenFor('the owner', { ...claims, aud: 'another service' }),
  await tokenFor('the owner', { ...claims, iss: 'https://elsewhere.example' }),
  await tokenFor('the owner', { ...claims, nbf: FAR - 1 }),
  await tokenFor('the owner', { ...claims, exp: undefined }),
  await tokenFor(undefined, claims),
  await tokenFor('the owner', { ...claims, landfall: { mai: ['read'] } }),
  await signWith(otherKey, { alg: 'HS256' }, { ...claims, sub: 'the owner' }),
  await signWith(otherKey, { alg: 'HS256', typ: 'landfall-upload+jwt' }, { ...claims, sub: 'the owner' }),
  `${unsigned('{"alg":"none"}')}.${unsigned(JSON.stringify({ ...claims, sub: 'the owner' }))}.`,
  `${head}.${unsigned(JSON.stringify({ ...claims, sub: 'the owner' }))}.${signature}`,
  `${unsigned('{"alg":"RS256"}')}.${body}.${signature}`,
  `${head}.${body}`,
  `${head}.${body}.${signature.slice(1)}`,
  `${unsigned('[]')}.${body}.${signature}`,
  `${unsigned(`{"alg":"HS256","crit":["${'x'.repeat(3000)}"]}`)}.${body}.${signature}`,
  '..',
  'x'.repeat(9000),
]

/** The credentials of the owner of the kept uploads, and of the stranger. */
export const CREDENTIALS = {
  none: { owner: {}, stranger: {} },
  jwt: { owner: bearer(await tokenFor('the owner', claims)), stranger: bearer(STRANGER) },
} as const
