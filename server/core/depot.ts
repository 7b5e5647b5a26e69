import type { Range, Ranges } from './ranges.ts'
import type { UploadRecord } from './record.ts'
import type { Departure } from './store.ts'

/** An upload on its way from one store to another. */
export interface Carried {
  readonly record: UploadRecord
  /** The bytes that count. */
  readonly received: Ranges
  /** Whether the store has them: those of a part may belong to its final upload already. */
  readonly hasBytes: boolean
  /** `undefined` for an unfinished upload. */
  readonly finishedAt: Date | undefined
  /** When the last byte arrived. */
  readonly changedAt: Date
  /** Bytes that count, in order. A buffer is the caller's until it asks for the next one. */
  read(range: Range): AsyncIterable<Buffer>
  close(): Promise<void>
}

/** A tombstone. */
export interface Removed {
  readonly id: string
  readonly why: Departure
  /** When the upload was removed. */
  readonly at: Date
  readonly owner: string | undefined
}

/** What a depot hands out. */
export type Taken =
  | { readonly kind: 'upload'; readonly upload: Carried }
  /** It is gone without a tombstone: somebody has deleted its file. */
  | { readonly kind: 'gone'; readonly owner: string | undefined }
  | { readonly kind: 'unknown' }

/** What a depot has under an id. */
export type Seen =
  | { readonly kind: 'none' }
  /** `at`: when it was removed. */
  | { readonly kind: 'gone'; readonly at: Date }
  | { readonly kind: 'upload'; readonly record: UploadRecord; readonly isFinished: boolean }

/** A store whose uploads are moved to another one, or to which they are moved, while no service uses it. */
export interface Depot {
  /** The ids of its uploads, in no order. Changes nothing. @throws UploadError `storage_error`. */
  uploads(): AsyncIterable<string>
  /** Its tombstones, in no order. Changes nothing. @throws UploadError `storage_error`. */
  tombstones(): AsyncIterable<Removed>
  /** What there is under an id. Changes nothing. @throws UploadError `storage_error`. */
  see(id: string): Promise<Seen>
  /** Opens an upload to move it from here. @throws UploadError `storage_error`, `no_space`. */
  take(id: string): Promise<Taken>
  /** Opens an upload to compare it. Where that is possible, nothing is changed. @throws like `take`. */
  view(id: string): Promise<Carried | undefined>
  /**
   * Makes an upload of another store one of this. If that is interrupted, there is none, and it can be called again. No
   * gate inspects a finished file, and nothing is reported: clients could read it before.
   *
   * @param upload there must be none with its id.
   * @throws UploadError `storage_error`, `no_space`.
   */
  place(upload: Carried): Promise<void>
  /** @param removed there must be no upload, or tombstone, with its id. @throws UploadError `storage_error`, `no_space`. */
  placeTombstone(removed: Removed): Promise<void>
  /** Removes an upload, or a tombstone, without a trace: another store has it. @throws UploadError `storage_error`. */
  erase(id: string): Promise<void>
  close(): Promise<void>
}
