import { keyedDigest } from '../core/keyed-digest.ts'
import type { Action } from '../core/principal.ts'
import { clientOf } from '../http/address-limits.ts'
import type { Authenticator } from './authenticator.ts'
import { ExpiringCache } from './expiring-cache.ts'

const EVERYTHING: ReadonlySet<Action> = new Set(['create', 'write', 'read', 'delete', 'ask'])

/** Maximum networks whose accounts are remembered: each chunk of a file asks for the same one again. */
const MAX_REMEMBERED = 1_000

/**
 * `AUTH=none`: every client is anonymous, and the URL of an upload is the right to use it.
 *
 * @param key derives accounts from networks, so that no record reveals an address.
 */
export function anonymous(key: Buffer): Authenticator {
  const accounts = new ExpiringCache<string>(MAX_REMEMBERED)
  const accountOf = (address: string): string => {
    const known = accounts.get(address)
    if (known !== undefined) return known
    const account = keyedDigest(key, 'network', [clientOf(address)]).slice(0, 32)
    accounts.set(address, account, Number.POSITIVE_INFINITY)
    return account
  }
  return {
    authenticate: (ctx) => ({
      owner: undefined,
      ownsUnowned: true,
      may: EVERYTHING,
      limits: {},
      // Computed when it is needed: few requests need it.
      account: () => accountOf(ctx.ip),
    }),
  }
}
