import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import { isSameOrigin, isSecure, type Reach } from '../server/http/same-origin.ts'
import { type Caller, digest } from './identity.ts'

/**
 * Over TLS, browsers accept a cookie of this name only from this host, for all paths (RFC 6265bis, section 4.1.3.2).
 */
const SECURE_NAME = '__Host-landfall_visitor'
const PLAIN_NAME = 'landfall_visitor'
const TOKEN = /^[0-9a-f]{32}$/
/** Seconds. */
const LIFETIME = 365 * 24 * 60 * 60

/** Identifies browsers by a cookie. Records hold a digest of it, so that a record does not reveal the cookie. */
export class Visitors {
  readonly #secret: string
  readonly #reach: Reach

  constructor(secret: string, reach: Reach) {
    this.#secret = secret
    this.#reach = reach
  }

  /**
   * The caller of a request. Over TLS, a cookie with the plain name only identifies a visitor of the previous version:
   * a sibling host could have planted it, and would know what is begun under it.
   */
  callerOf(ctx: Context): Caller {
    if (!isSecure(ctx, this.#reach)) return { owner: this.#visitorIn(ctx, PLAIN_NAME), former: undefined }
    return { owner: this.#visitorIn(ctx, SECURE_NAME), former: this.#visitorIn(ctx, PLAIN_NAME) }
  }

  /**
   * Sets the cookie for a browser without one; what that browser began before remains without an owner. A cross-site
   * request never gets a cookie: the browser may have one that it did not send, and a new one would replace it.
   */
  introduce(ctx: Context): void {
    if (this.callerOf(ctx).owner !== undefined || !isSameOrigin(ctx, this.#reach)) return
    const value = randomBytes(16).toString('hex')
    const secure = isSecure(ctx, this.#reach)
    const name = secure ? SECURE_NAME : PLAIN_NAME
    ctx.append(
      'Set-Cookie',
      `${name}=${value}; path=/; max-age=${LIFETIME}; samesite=lax${secure ? '; secure' : ''}; httponly`,
    )
  }

  #visitorIn(ctx: Context, name: string): string | undefined {
    const value = ctx.cookies.get(name)
    if (value === undefined || !TOKEN.test(value)) return undefined
    return digest(this.#secret, 'visitor', [value]).slice(0, 32)
  }
}
