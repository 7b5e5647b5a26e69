import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import { answerJson } from '../http/json.ts'
import { withBody } from '../protocol/request-body.ts'
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

/** Maximum body, in bytes. */
const MAX_BODY = 16 * 1024

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
    const request = uploadTokenRequest.safeParse(await readJson(ctx, idleTimeout))
    if (!request.success) {
      const [issue] = request.error.issues
      const name = issue?.path.length === 0 ? 'The body' : `The field ${String(issue?.path[0])}`
      throw new UploadError('bad_request', `${name} is not valid: ${issue?.message}.`)
    }
    const created = await createUploadToken(uploadTokenKey, request.data)
    ctx.status = 201
    ctx.set('Cache-Control', 'no-store')
    answerJson(ctx, created)
  }
}

async function readJson(ctx: Context, idleTimeout: number): Promise<unknown> {
  const text = await withBody(ctx, idleTimeout, async (body) => {
    const pieces: Buffer[] = []
    let size = 0
    for (let batch = await body.read(); batch !== null; batch = await body.read()) {
      for (const piece of batch) {
        size += piece.length
        if (size > MAX_BODY) throw new UploadError('too_large', `The body may have at most ${MAX_BODY} bytes.`)
        pieces.push(Buffer.from(piece))
      }
    }
    return Buffer.concat(pieces).toString()
  })
  try {
    return JSON.parse(text)
  } catch {
    throw new UploadError('bad_request', 'The body must be a JSON object.')
  }
}
