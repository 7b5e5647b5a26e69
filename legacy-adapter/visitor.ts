import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import { digest } from './identity.ts'

const COOKIE = 'landfall_visitor'
const FORM = /^[0-9a-f]{32}$/
const LIFETIME = 365 * 24 * 60 * 60 * 1000

/**
 * Who this browser is, as it is kept in records: a digest, so that a record does not give the cookie away. `undefined` for a
 * browser that has never asked `/check`.
 */
export function visitorOf(ctx: Context, secret: string): string | undefined {
  const value = ctx.cookies.get(COOKIE)
  return value !== undefined && FORM.test(value) ? visitorFrom(value, secret) : undefined
}

/** The same, but a browser without the cookie gets a random one with this answer. */
export function introduce(ctx: Context, secret: string): string {
  const known = visitorOf(ctx, secret)
  if (known !== undefined) return known
  const value = randomBytes(16).toString('hex')
  ctx.cookies.set(COOKIE, value, { httpOnly: true, sameSite: 'lax', secure: ctx.secure, maxAge: LIFETIME })
  return visitorFrom(value, secret)
}

function visitorFrom(value: string, secret: string): string {
  return digest(secret, 'visitor', [value]).slice(0, 32)
}
