import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'

/** The error of a request without credentials; its response names the scheme (RFC 6750 §3). */
export function noCredentials(ctx: Context): UploadError {
  ctx.set('WWW-Authenticate', 'Bearer')
  return new UploadError('unauthenticated', 'The request has no credentials.')
}

/** The error of a request whose token does not count. A client renews the token, and tries again. */
export function invalidToken(ctx: Context, message: string): UploadError {
  ctx.set('WWW-Authenticate', `Bearer error="invalid_token", error_description="${message}"`)
  return new UploadError('unauthenticated', message)
}

/** The error while credentials cannot be checked. @param cause for the log only. */
export function unavailable(cause: unknown): UploadError {
  return new UploadError('auth_unavailable', 'Credentials cannot be checked at the moment; try again later.', { cause })
}
