import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import { digest } from './identity.ts'

const COOKIE = 'landfall_visitor'
const FORM = /^[0-9a-f]{32}$/
const LIFETIME = 365 * 24 * 60 * 60 * 1000

/**
 * Who this browser is, as it is kept in records: a digest, so that a record does not give the cookie away. A browser without
 * the cookie gets it with this answer.
 *
 * @param fallback from what a first cookie is made; chunks of one file that come at the same moment then get the same one.
 */
export function visitorOf(ctx: Context, secret: string, fallback: string | undefined): string {
  const known = ctx.cookies.get(COOKIE)
  const value = known !== undefined && FORM.test(known) ? known : freshValue(secret, fallback)
  if (value !== known) {
    ctx.cookies.set(COOKIE, value, { httpOnly: true, sameSite: 'lax', secure: ctx.secure, maxAge: LIFETIME })
  }
  return digest(secret, 'visitor', [value]).slice(0, 32)
}

function freshValue(secret: string, fallback: string | undefined): string {
  return fallback === undefined ? randomBytes(16).toString('hex') : digest(secret, 'cookie', [fallback]).slice(0, 32)
}
