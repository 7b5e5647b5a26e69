import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import { isSameOrigin, isSecure, type Reach } from '../server/http/same-origin.ts'
import type { Caller } from './candidates.ts'
import { digest } from './identity.ts'

/** Over TLS browsers take a cookie of this name only from this host itself, for all of its paths (RFC 6265bis, section 4.1.3.2). */
const SECURE_NAME = '__Host-landfall_visitor'
const PLAIN_NAME = 'landfall_visitor'
const FORM = /^[0-9a-f]{32}$/
/** Seconds. */
const LIFETIME = 365 * 24 * 60 * 60

/** Knows browsers by a cookie. In records a visitor is a digest, so that a record does not give the cookie away. */
export class Visitors {
  readonly #secret: string
  readonly #reach: Reach

  constructor(secret: string, reach: Reach) {
    this.#secret = secret
    this.#reach = reach
  }

  /**
   * Who asks. Over TLS a cookie with the plain name counts only as the visitor of the version before: a neighbour of this host could
   * have planted it, and then knows what is begun under it.
   */
  callerOf(ctx: Context): Caller {
    if (!isSecure(ctx, this.#reach)) return { whose: this.#visitorIn(ctx, PLAIN_NAME), former: undefined }
    return { whose: this.#visitorIn(ctx, SECURE_NAME), former: this.#visitorIn(ctx, PLAIN_NAME) }
  }

  /**
   * Gives a browser without the cookie one with this answer; what it has begun before stays begun without one. A request from another
   * site never gets it: it may lack a cookie that the browser has, and that a new one would replace.
   */
  introduce(ctx: Context): void {
    if (this.callerOf(ctx).whose !== undefined || !isSameOrigin(ctx, this.#reach)) return
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
    return value !== undefined && FORM.test(value) ? this.#visitorFrom(value) : undefined
  }

  #visitorFrom(value: string): string {
    return digest(this.#secret, 'visitor', [value]).slice(0, 32)
  }
}
