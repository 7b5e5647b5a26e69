import type { Context } from 'koa'
import { keyedDigest } from '../core/keyed-digest.ts'
import type { Action } from '../core/principal.ts'
import { clientOf } from '../http/address-limits.ts'
import type { Authenticator } from './authenticator.ts'

const EVERYTHING: ReadonlySet<Action> = new Set(['create', 'write', 'read', 'delete', 'ask'])

/**
 * `AUTH=none`: every client is anonymous, and the URL of an upload is the right to use it.
 *
 * @param key derives accounts, so that no record reveals an address.
 */
export function anonymous(key: Buffer): Authenticator {
  return {
    authenticate: (ctx) => ({
      owner: undefined,
      ownsUnowned: true,
      may: EVERYTHING,
      limits: {},
      account: networkAccount(key, ctx),
    }),
  }
}

/** The account of a client without credentials, computed when it is needed: few requests need it. */
export function networkAccount(key: Buffer, ctx: Context): () => string {
  return () => keyedDigest(key, 'network', [clientOf(ctx.ip)]).slice(0, 32)
}
