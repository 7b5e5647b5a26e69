import type { Principal } from '../../server/core/principal.ts'

/** A client without credentials, as every client of a service without authentication is. */
export const anyone: Principal = {
  owner: undefined,
  ownsUnowned: true,
  may: new Set(['create', 'write', 'read', 'delete', 'ask']),
  limits: {},
  account: () => 'network',
}
