import type { Desk } from '../core/desk.ts'
import type { Action } from '../core/principal.ts'

/** What a client that cannot set headers says in its fields. */
export interface FieldCredentials {
  /** The actions that the fields ask for. The client needs permission for one of them. */
  readonly actions?: readonly Action[]
  /** A token from a form field or the query. */
  readonly token?: string | undefined
  /** The new upload, which no header describes. `length` in bytes. */
  readonly upload?: { readonly length: number | null; readonly name: string | undefined } | undefined
}

/**
 * Admits a request, before it changes anything.
 *
 * @throws UploadError `unauthenticated`, `forbidden`, `auth_unavailable`.
 */
export type Admit = (credentials: FieldCredentials) => Promise<Desk>
