import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'

/** A scheme is case-insensitive (RFC 9110 §11.1). */
const BEARER = /^bearer +(\S+) *$/i

/** The token of `Authorization: Bearer`; `undefined` for other schemes, which may be meant for a proxy. */
export function bearerToken(ctx: Context): string | undefined {
  return BEARER.exec(ctx.get('Authorization'))?.[1]
}

/**
 * The token that a client states: in `Authorization`, or in a field.
 *
 * @throws UploadError `bad_request` if the two differ: it would be unclear on whose behalf the request runs.
 */
export function statedToken(ctx: Context, field: string | undefined): string | undefined {
  const header = bearerToken(ctx)
  if (header !== undefined && field !== undefined && header !== field) {
    throw new UploadError('bad_request', 'The request has two different tokens.')
  }
  return header ?? field
}

/**
 * The token of a request. A stated one wins over a cookie, which browsers send without being asked.
 *
 * @param cookie the name of the cookie; empty if none may hold a token.
 * @throws UploadError like `statedToken`.
 */
export function tokenOf(ctx: Context, cookie: string, field: string | undefined): string | undefined {
  return statedToken(ctx, field) ?? (cookie === '' ? undefined : ctx.cookies.get(cookie) || undefined)
}
