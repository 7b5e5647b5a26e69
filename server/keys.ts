import { hkdfSync } from 'node:crypto'
import { keyedDigest } from './core/keyed-digest.ts'

/** One key for each purpose, so that a value made for one is never valid for another. 32 bytes each. */
export interface Keys {
  /** Owners of uploads. */
  readonly owner: Buffer
  /** Accounts of anonymous clients in the ledger. */
  readonly account: Buffer
  /** Signed links. */
  readonly link: Buffer
  /** Upload tokens. */
  readonly token: Buffer
}

/** Derives the keys from a secret of at least 32 characters (HKDF-SHA256, RFC 5869). */
export function deriveKeys(secret: string): Keys {
  const derive = (purpose: keyof Keys): Buffer => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
  return { owner: derive('owner'), account: derive('account'), link: derive('link'), token: derive('token') }
}

/** The owner that a subject of an issuer is: a digest, 32 hex characters. */
export function ownerOf({ owner }: Pick<Keys, 'owner'>, issuer: string, subject: string): string {
  return keyedDigest(owner, 'owner', [issuer, subject]).slice(0, 32)
}
