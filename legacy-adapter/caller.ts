import type { Desk } from '../server/core/desk.ts'
import type { UploadRecord } from '../server/core/record.ts'

/** The owner of uploads: a principal with credentials, or a visitor; `undefined` for a client with neither. */
export type Owner = string | undefined

/**
 * How long a new cookie may be on its way to the browser, in milliseconds: meanwhile, the browser may begin an upload
 * without it.
 */
export const DELIVERY = 60_000

/** The client of a request. */
export interface Caller {
  /** Its only access to uploads. */
  readonly desk: Desk
  readonly owner: Owner
  /**
   * The visitor named by a cookie of the previous version. It opens only what this visitor began under that version.
   */
  readonly former: Owner
  /** When the visitor got its cookie, in milliseconds since 1970; 0 if that is unknown, or there is none. */
  readonly since: number
}

/**
 * Whether an upload exists for the caller. One begun by a visitor belongs to that visitor. A cookie may appear while
 * chunks are on their way, so a visitor also reaches what was begun without a cookie; but only from the same network,
 * and before the browser had the cookie. Otherwise, a stranger could begin the upload in which the visitor's chunks end.
 */
export function isVisible(record: UploadRecord, caller: Caller): boolean {
  const beginner = record.webUploader?.visitor
  const { owner, former, since } = caller
  if (beginner !== undefined) return beginner === owner || beginner === former
  if (owner === undefined) return true
  return Date.parse(record.createdAt) <= since + DELIVERY && isOfSameNetwork(record, caller)
}

/** Whether a sender that the caller names began the upload, as far as can be known without a cookie. */
export function isBeginner(record: UploadRecord, sender: string, caller: Caller): boolean {
  const { begun, visitor } = record.webUploader ?? {}
  return begun === sender && (visitor !== undefined || isOfSameNetwork(record, caller))
}

/** Whether an upload without an owner was begun from the network of the caller, or may have been. */
export function isOfSameNetwork({ account }: UploadRecord, { desk }: Caller): boolean {
  return account === undefined || account === desk.principal.account()
}
