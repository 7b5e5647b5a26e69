import { hkdfSync } from 'node:crypto'

/** One key per purpose, so that no value made for one purpose is valid for another. 32 bytes each. */
export interface Keys {
  /** Owners of uploads. */
  readonly owner: Buffer
  /** Whom the ledger charges for anonymous clients. */
  readonly account: Buffer
  /** Signed links. */
  readonly link: Buffer
  /** Upload tokens. */
  readonly token: Buffer
}

/** Derives the keys from the secret of the service (HKDF, RFC 5869). */
export function deriveKeys(secret: string): Keys {
  const derive = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
  return { owner: derive('owner'), account: derive('account'), link: derive('link'), token: derive('token') }
}
