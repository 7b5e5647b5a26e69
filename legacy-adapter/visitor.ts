import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type { Desk } from '../server/core/desk.ts'
import { isSameOrigin, isSecure, type Reach } from '../server/http/same-origin.ts'
import type { Caller, Owner } from './caller.ts'
import { digest } from './identity.ts'

/**
 * Over TLS, browsers accept a cookie of this name only from this host, for all paths (RFC 6265bis, section 4.1.3.2).
 */
const SECURE_NAME = '__Host-landfall_visitor'
const PLAIN_NAME = 'landfall_visitor'
const TOKEN = /^[0-9a-f]{32}$/
/** The bytes of a cookie: the time of its issue in milliseconds since 1970, then random ones. */
const TIME_BYTES = 6
const RANDOM_BYTES = 10
/** Seconds. */
const LIFETIME = 365 * 24 * 60 * 60

/** Identifies browsers by a cookie. Records hold a digest of it, so that a record does not reveal the cookie. */
export class Visitors {
  readonly #secret: string
  readonly #reach: Reach
  readonly #areIntroduced: boolean

  /** @param areIntroduced false with authentication: then every caller has credentials, and none gets a cookie. */
  constructor(secret: string, reach: Reach, areIntroduced: boolean) {
    this.#secret = secret
    this.#reach = reach
    this.#areIntroduced = areIntroduced
  }

  /**
   * The caller of a request: the owner that its credentials name, or else its visitor. Over TLS, a cookie with the
   * plain name only identifies a visitor of the previous version: a sibling host could have planted it, and would know
   * what is begun under it.
   */
  callerOf(ctx: Context, desk: Desk): Caller {
    const { owner } = desk.principal
    if (owner !== undefined) return { desk, owner, former: undefined, since: 0 }
    const token = this.#tokenOf(ctx)
    const former = isSecure(ctx, this.#reach) ? this.#visitorOf(cookieOf(ctx, PLAIN_NAME)) : undefined
    return { desk, owner: this.#visitorOf(token), former, since: issueTimeOf(token) }
  }

  /**
   * Sets the cookie for a browser without one; what that browser began before remains without an owner. A cross-site
   * request never gets a cookie: the browser may have one that it did not send, and a new one would replace it.
   */
  introduce(ctx: Context): void {
    if (!this.#areIntroduced || this.#tokenOf(ctx) !== undefined || !isSameOrigin(ctx, this.#reach)) return
    const time = Buffer.alloc(TIME_BYTES)
    time.writeUIntBE(Date.now(), 0, TIME_BYTES)
    const value = Buffer.concat([time, randomBytes(RANDOM_BYTES)]).toString('hex')
    const secure = isSecure(ctx, this.#reach)
    const name = secure ? SECURE_NAME : PLAIN_NAME
    ctx.append(
      'Set-Cookie',
      `${name}=${value}; path=/; max-age=${LIFETIME}; samesite=lax${secure ? '; secure' : ''}; httponly`,
    )
  }

  #tokenOf(ctx: Context): string | undefined {
    return cookieOf(ctx, isSecure(ctx, this.#reach) ? SECURE_NAME : PLAIN_NAME)
  }

  #visitorOf(token: string | undefined): Owner {
    return token === undefined ? undefined : digest(this.#secret, 'visitor', [token]).slice(0, 32)
  }
}

/** The cookie of this name, if it is well-formed. */
function cookieOf(ctx: Context, name: string): string | undefined {
  const value = ctx.cookies.get(name)
  return value !== undefined && TOKEN.test(value) ? value : undefined
}

/** 0 for a cookie of the previous version, all of whose bytes are random. */
function issueTimeOf(token = ''): number {
  const time = Number.parseInt(token.slice(0, 2 * TIME_BYTES), 16)
  return time <= Date.now() ? time : 0
}
