/** What a principal may do: begin uploads, send bytes, read files, delete uploads, and ask about its own uploads. */
export type Action = 'create' | 'write' | 'read' | 'delete' | 'ask'

/** The limits that credentials set for new uploads, in addition to those of the service. */
export interface PrincipalLimits {
  /** Maximum bytes of an upload. */
  readonly maxSize?: number | undefined
  /** File types, as in the setting `ALLOWED_TYPES`. */
  readonly types?: readonly string[] | undefined
  /** Maximum bytes of all its uploads. */
  readonly quota?: number | undefined
}

/** On whose behalf a request runs. */
export interface Principal {
  /** A digest of the issuer and the subject; `undefined` for an anonymous client. */
  readonly owner: string | undefined
  /** Whether uploads without an owner count as its own. */
  readonly ownsUnowned: boolean
  readonly may: ReadonlySet<Action>
  readonly limits: PrincipalLimits
  /** The only upload that a signed link opens, whatever its owner. */
  readonly link?: string | undefined
  /** The account that the ledger charges: the owner, or a digest of the network of an anonymous client. */
  readonly account: () => string
}

/** Whether an upload, of which `owner` is in the record or the tombstone, exists for a principal. */
export function isAccessible(principal: Principal, id: string, owner: string | undefined): boolean {
  if (principal.link !== undefined) return principal.link === id
  return owner === undefined ? principal.ownsUnowned : owner === principal.owner
}
