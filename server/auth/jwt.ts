import { createSecretKey, hash, type KeyObject } from 'node:crypto'
import { decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import type { Context } from 'koa'
import { z } from 'zod'
import { UploadError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { AccessRequest, Authenticator } from './authenticator.ts'
import { grantOf, isWithin, restrictions } from './claims.ts'
import { ExpiringCache } from './expiring-cache.ts'
import type { Owners } from './owners.ts'
import { invalidToken, noCredentials, unavailable } from './refusals.ts'
import { remoteKeys } from './remote-keys.ts'
import { bearerToken, tokenOf } from './token-sources.ts'
import { isUploadToken, UPLOAD_TOKEN } from './upload-tokens.ts'

/** Options of `AUTH=jwt`. */
export interface JwtOptions {
  /** Where the application's keys are: its secret, or the URL of its public keys; without it, only upload tokens. */
  readonly application: { readonly secret: string } | { readonly url: string } | undefined
  /** The algorithms that tokens with public keys may have. */
  readonly algorithms: readonly string[]
  /** The issuer and audience that tokens of the application must have; empty for any. */
  readonly issuer: string
  readonly audience: string
  /** The key of upload tokens. */
  readonly uploadTokenKey: Buffer
  /** The cookie that may hold a token; empty for none. */
  readonly cookie: string
  readonly owners: Owners
}

/** Maximum length of a token, in characters. */
const MAX_TOKEN = 8 * 1024

/** Maximum verified tokens that are remembered. */
const MAX_REMEMBERED = 5_000

/** How long a verified token is remembered, in milliseconds: so long, one whose key was withdrawn stays valid. */
const MAX_MEMORY = 10 * 60_000

/** Tolerated difference of clocks, in seconds. */
const CLOCK_TOLERANCE = 5

/** Maximum keys that are tried for a token that names none. */
const MAX_TRIED_KEYS = 4

/** A verified token. */
interface Admitted {
  readonly principal: Principal
  /** The only paths where the token is valid. */
  readonly path: string | undefined
}

/** One kind of token: its key, and the requirements that do not depend on the token. */
interface Kind {
  readonly key: KeyObject | ReturnType<typeof remoteKeys>
  readonly options: JWTVerifyOptions
}

/** `AUTH=jwt`: JSON Web Tokens (RFC 7519, RFC 8725) of the application, and upload tokens of this service. */
export class JwtAuthenticator implements Authenticator {
  readonly #application: Kind | undefined
  readonly #ownTokens: Kind
  readonly #cookie: string
  readonly #owners: Owners
  readonly #admitted = new ExpiringCache<Admitted>(MAX_REMEMBERED)

  constructor({ application, algorithms, issuer, audience, uploadTokenKey, cookie, owners }: JwtOptions) {
    this.#cookie = cookie
    this.#owners = owners
    const common = { requiredClaims: ['exp', 'sub'], clockTolerance: CLOCK_TOLERANCE }
    this.#ownTokens = {
      key: createSecretKey(uploadTokenKey),
      options: { ...common, algorithms: ['HS256'], issuer: UPLOAD_TOKEN.issuer, typ: UPLOAD_TOKEN.type },
    }
    if (application === undefined) return
    const required = { ...common, ...(issuer !== '' && { issuer }), ...(audience !== '' && { audience }) }
    // The algorithm follows from the kind of the key: a public key is never taken for a secret.
    this.#application =
      'secret' in application
        ? { key: createSecretKey(application.secret, 'utf8'), options: { ...required, algorithms: ['HS256'] } }
        : { key: remoteKeys(application.url), options: { ...required, algorithms: [...algorithms] } }
  }

  authenticate(ctx: Context, request: AccessRequest): Principal | Promise<Principal> {
    const token = tokenOf(ctx, this.#cookie, request.token)
    if (token === undefined) throw noCredentials(ctx)
    if (token.length > MAX_TOKEN) throw invalidToken(ctx, 'The token is too long.')
    // A digest, because memory should hold no credentials.
    const key = hash('sha256', token, 'base64')
    const known = this.#admitted.get(key)
    if (known !== undefined) return within(known, ctx, request)
    return this.#verify(ctx, token, key).then((admitted) => within(admitted, ctx, request))
  }

  /** Only of the application: a holder of TOKEN_KEY chooses the subjects of upload tokens. */
  async claims(ctx: Context): Promise<Readonly<Record<string, unknown>>> {
    const token = bearerToken(ctx)
    if (token === undefined) throw noCredentials(ctx)
    if (token.length > MAX_TOKEN) throw invalidToken(ctx, 'The token is too long.')
    if (this.#application === undefined || isUploadToken(headerOf(ctx, token))) {
      throw invalidToken(ctx, 'The token is not one of the application.')
    }
    return payloadOf(token, this.#application).catch((error: unknown) => {
      throw refusalOf(ctx, error)
    })
  }

  async #verify(ctx: Context, token: string, key: string): Promise<Admitted> {
    const isOwn = isUploadToken(headerOf(ctx, token))
    const kind = isOwn ? this.#ownTokens : this.#application
    if (kind === undefined) throw invalidToken(ctx, 'The token is not an upload token of this service.')
    const payload = await payloadOf(token, kind).catch((error: unknown) => {
      throw refusalOf(ctx, error)
    })
    const claims = claimsOf(ctx, payload)
    const { owner, ownsUnowned } = this.#owners.of(claims.sub, isOwn ? undefined : claims.iss)
    const principal = { owner, ownsUnowned, ...grantOf(claims.landfall), account: () => owner }
    const admitted = { principal, path: claims.landfall.path }
    this.#admitted.set(key, admitted, Math.min((claims.exp + CLOCK_TOLERANCE) * 1000, Date.now() + MAX_MEMORY))
    return admitted
  }
}

/** @throws UploadError `forbidden`. */
function within({ principal, path }: Admitted, ctx: Context, { actions }: AccessRequest): Principal {
  if (path === undefined || actions.length === 0 || isWithin(ctx.path, path)) return principal
  throw new UploadError('forbidden', 'Your token is not valid for this path.')
}

function headerOf(ctx: Context, token: string): ReturnType<typeof decodeProtectedHeader> {
  try {
    return decodeProtectedHeader(token)
  } catch {
    throw invalidToken(ctx, 'The token is malformed.')
  }
}

async function payloadOf(token: string, { key, options }: Kind): Promise<JWTPayload> {
  if (typeof key !== 'function') return (await jwtVerify(token, key, options)).payload
  try {
    return (await jwtVerify(token, key, options)).payload
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    let tried = 0
    for await (const candidate of error) {
      tried += 1
      if (tried > MAX_TRIED_KEYS) break
      try {
        return (await jwtVerify(token, candidate, options)).payload
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

function refusalOf(ctx: Context, error: unknown): UploadError {
  if (error instanceof UploadError) return error
  if (error instanceof errors.JWKSInvalid || error instanceof errors.JWKSTimeout) return unavailable(error)
  if (error instanceof errors.JWTExpired) return invalidToken(ctx, 'The token has expired.')
  if (error instanceof errors.JWTClaimValidationFailed) {
    return invalidToken(ctx, `The token has no acceptable claim ${error.claim}.`)
  }
  return invalidToken(ctx, 'The token is not valid.')
}

const claimsSchema = z.object({
  sub: z.string().min(1).max(1_000),
  iss: z.string().max(1_000).optional(),
  exp: z.number(),
  landfall: restrictions.default({}),
})

function claimsOf(ctx: Context, payload: JWTPayload): z.output<typeof claimsSchema> {
  const { data, error } = claimsSchema.safeParse(payload)
  if (data !== undefined) return data
  throw invalidToken(ctx, `The token has a malformed claim ${String(error.issues[0]?.path[0])}.`)
}
