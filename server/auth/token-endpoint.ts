import type { Context } from 'koa'
import { answerJson } from '../http/json.ts'
import { jsonBody } from '../protocol/json-body.ts'
import { isEqual } from './equal-secrets.ts'
import { invalidToken, noCredentials } from './refusals.ts'
import { bearerToken } from './token-sources.ts'
import { createUploadToken, uploadTokenRequest } from './upload-tokens.ts'

/** Options of `POST /tokens`. */
export interface TokenEndpointOptions {
  /** `TOKEN_KEY`: its holder may create tokens for any subject. */
  readonly callerKey: string
  /** The key that signs upload tokens. */
  readonly uploadTokenKey: Buffer
  /** When a body without data is aborted, in milliseconds. */
  readonly idleTimeout: number
}

/**
 * `POST /tokens`: creates an upload token. No token allows this, only TOKEN_KEY, so no right can be passed on.
 *
 * @returns the handler, which throws UploadError `unauthenticated`, `bad_request`, `too_large`.
 */
export function tokenEndpoint({
  callerKey,
  uploadTokenKey,
  idleTimeout,
}: TokenEndpointOptions): (ctx: Context) => Promise<void> {
  return async (ctx) => {
    const key = bearerToken(ctx)
    if (key === undefined) throw noCredentials(ctx)
    if (!isEqual(key, callerKey)) throw invalidToken(ctx, 'The key is wrong.')
    const request = await jsonBody(ctx, uploadTokenRequest, idleTimeout)
    const created = await createUploadToken(uploadTokenKey, request)
    ctx.status = 201
    ctx.set('Cache-Control', 'no-store')
    answerJson(ctx, created)
  }
}
