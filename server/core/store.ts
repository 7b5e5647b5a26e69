import type { Range, Ranges } from './ranges.ts'
import type { FailureReason, UploadRecord } from './record.ts'

/**
 * `as-received`: bytes count as they arrive; those written directly after the received prefix also count if a crash
 * leaves them. `when-verified`: bytes count only by `commit`, also across a crash.
 */
export type Count = 'as-received' | 'when-verified'

/** Why an upload is gone. One made for a refused request (`refused`) leaves no tombstone, and may stay instead. */
export type Departure = 'deleted' | 'expired' | 'refused'

/**
 * One attempt to write the bytes of a range. Only its `commit` changes what counts as received. One call at a time;
 * when a call has returned or thrown, none of its writes is still in flight.
 */
export interface Attempt {
  /**
   * Writes `buffers` after the bytes that this attempt has written so far. If it throws, a prefix of them may have been
   * written; `commit` then counts exactly that prefix.
   *
   * @throws UploadError `no_space` or `storage_error`.
   */
  write(buffers: readonly Buffer[]): Promise<void>
  /** Whether a stream should commit now what it has written, although the range has room: bytes should not wait long. */
  readonly isDue: boolean
  /**
   * Makes the written bytes count, as durable as the store is set to. Without a `commit`, none of them counts.
   *
   * @throws UploadError `sync_failed`, which is final for the upload, `no_space`, or `storage_error`.
   */
  commit(): Promise<void>
  /**
   * Discards the written bytes and frees their space, unless another attempt writes after them. No effect after
   * `commit`.
   */
  discard(): Promise<void>
}

/** What something occupies in the store, whatever counts as received. */
export interface Occupied {
  /** Bytes of the storage that are allocated, in whole blocks. */
  readonly bytes: number
  /** Files and directories. */
  readonly files: number
}

/** What is free in the store. `Infinity` where the storage has no limit of its own. */
export interface Space {
  readonly bytes: number
  readonly freeBytes: number
  /** How many files there can be. */
  readonly inodes: number
  /** How many more files can be created. */
  readonly freeInodes: number
}

/** Where a file is in a bucket of S3. */
export interface ObjectPlace {
  readonly bucket: string
  readonly key: string
}

/** An upload in the store. The core makes sure that writers of one upload never overlap. */
export interface StoredUpload {
  readonly record: UploadRecord
  /** The bytes that count as received. */
  readonly received: Ranges
  /** Whether the file has its final name. */
  readonly finished: boolean
  /** Whether it is removed for good, although some of its files may still be on disk. */
  readonly removed: boolean
  /** When it was finished; `undefined` for an unfinished upload. */
  readonly finishedAt: Date | undefined
  /** Where a program of this host finds the bytes, if they are in a file. */
  readonly path: string | undefined
  /** Where the file is, once it is finished, if that is in a bucket. */
  readonly object?: ObjectPlace | undefined
  /**
   * Whether this object must not be used any more: another node has opened the upload, or it is not known what counts.
   * Everything throws `moved` from then on, except `close`. The upload can be opened again.
   */
  readonly moved: boolean
  /** How many commits of one stream may be pending. */
  readonly parallel: number

  /**
   * How many bytes of a stream an attempt from `position` on should bring before it commits. An attempt commits earlier
   * at the end of the stream; with 0, it commits each batch.
   */
  stride(position: number): number
  /**
   * Proves that what this object says of the upload is still true. Called after a request has arrived that will be told.
   *
   * @throws UploadError `moved`, `gone`, `storage_error`.
   */
  confirm(): Promise<void>
  /** Begins an attempt at `range`, of which nothing has been received. */
  begin(range: Range, count: Count): Promise<Attempt>
  /** Replaces the record by what `change` returns for it, atomically; calls take turns. */
  update(change: (record: UploadRecord) => UploadRecord): Promise<void>
  /**
   * Received bytes in order, finished or not. A reader that has begun continues while the upload is finished or
   * removed. A buffer is the caller's until it asks for the next one.
   *
   * @throws UploadError `gone` to a reader that begins after the removal; `storage_error`.
   */
  read(range: Range): AsyncIterable<Buffer>
  /**
   * Cuts off bytes after the end of a wholly received upload: they were refused.
   *
   * @returns the path of the file, if the bytes are in one.
   * @throws UploadError `no_space`, `storage_error`.
   */
  seal(): Promise<string | undefined>
  /**
   * Makes a wholly received upload durable under its final name. May be called again after it threw.
   *
   * @param after the commit waits for it; if it rejects, nothing is committed.
   * @throws UploadError `sync_failed` (final), `no_space`, `storage_error`, and the reason of `after`.
   */
  finish(after?: Promise<void>): Promise<void>
  /**
   * Notes why the upload can never finish, unless it has failed already.
   *
   * @throws UploadError `no_space`, `storage_error`.
   */
  fail(reason: FailureReason): Promise<void>
  /**
   * Makes the bytes of `part`, a completely received upload of this store, those of this one from `position` on, where
   * it has none, without reading them. The record of the part says `joined` from then on. May be called again after it
   * threw, or after a crash, while there are still none.
   *
   * @returns false if the store cannot do that at this position; nothing has changed then. At 0 it always can.
   * @throws UploadError `sync_failed`, `no_space`, `storage_error`.
   */
  absorb(part: StoredUpload, position: number): Promise<boolean>
  /** Removes the bytes of a part that another upload has; its record stays and says `joined`. May be called again. */
  discardBytes(): Promise<void>
  /**
   * Frees the disk space of a failed upload, whose bytes will not be read again. Its ranges remain as reported. May be
   * called again.
   *
   * @throws UploadError `no_space`, `storage_error`.
   */
  abandon(): Promise<void>
  /**
   * Moves the bytes of a rejected upload to where only the operator finds them; its record stays. May be called again.
   *
   * @throws UploadError `no_space`, `storage_error`.
   */
  quarantine(): Promise<void>
  /** Whether the bytes of a rejected upload are where `quarantine` moves them. @throws UploadError `storage_error`. */
  isQuarantined(): Promise<boolean>
  /**
   * Makes a rejected upload a complete one again; its record says `released` from then on. When it returns, that
   * survives a crash of the process. May be called again.
   *
   * @throws UploadError `gone` if its bytes are no longer kept; `sync_failed`, `no_space`, `storage_error`.
   */
  readmit(): Promise<void>
  /**
   * Makes an unfinished upload count as changed now. When it returns, that survives a crash of the process.
   *
   * @throws UploadError `storage_error`, `no_space`.
   */
  touch(): Promise<void>
  /**
   * Removes the upload and leaves a tombstone. If it throws although the upload is `removed`, the rest is removed when
   * the upload is next opened, or after a restart.
   *
   * @throws UploadError `no_space`, `storage_error`. It may be called again then.
   */
  remove(why: Departure): Promise<void>
  /**
   * What the upload occupies: its bytes, also those that do not count, and what the store keeps about it. Nothing after
   * its removal.
   *
   * @throws UploadError `storage_error`.
   */
  occupied(): Promise<Occupied>
  /** When the last byte arrived. */
  lastChange(): Promise<Date>
  /** Releases descriptors. Called when nothing is running; everything still works afterwards. */
  release(): Promise<void>
  /**
   * Closes the upload for good, after it has made the received bytes as durable as the store is set to. If that fails,
   * the record says so.
   *
   * @throws UploadError `no_space`, `storage_error` when the record cannot say so: the upload must not be opened again
   * then.
   */
  close(): Promise<void>
}

/** What decides on a file that is created at once. */
export interface Prepared {
  /** The record to keep. If it says that the upload has failed, the bytes stay those of an unfinished upload. */
  readonly record: UploadRecord
  /** The commit waits for it. */
  readonly after?: Promise<void> | undefined
}

/** What a store finds under an id. */
export type Found =
  | { readonly kind: 'upload'; readonly upload: StoredUpload }
  /** Without `owner`, the upload had none, or its owner is no longer known: no owner may have it. */
  | { readonly kind: 'gone'; readonly owner?: string | undefined }
  | { readonly kind: 'unknown' }

/** An upload that is not open. */
export interface UploadSummary {
  readonly record: UploadRecord
  readonly finished: boolean
  /** The bytes that count, as far as that can be told without opening the upload. @throws UploadError `storage_error`. */
  readonly received: () => Promise<Ranges>
  /** Like `StoredUpload.isQuarantined`. */
  readonly isQuarantined: () => Promise<boolean>
  /** Like `StoredUpload.occupied`. */
  readonly occupied: () => Promise<Occupied>
}

/** An upload that has no file yet, as it is found in the store. */
export interface UnfinishedUpload {
  readonly id: string
  /** Like `Store.lastChange`. */
  readonly lastChange: () => Promise<Date>
}

/** Where uploads and their bytes are kept. */
export interface Store {
  /** The largest possible file, in bytes. */
  readonly maxLength: number
  /** How many unused uploads should stay open: opening one again has its cost, and so has keeping it. */
  readonly idleKept: number
  /** Whether other processes use the same uploads. */
  readonly isShared: boolean
  /**
   * Creates an upload. When it returns, the upload survives a crash of the process.
   *
   * @param isTentative it may be removed again as `refused`: until bytes count, no event reports it.
   * @throws UploadError `no_space`, `storage_error`; an id that already exists is a `storage_error`, and nothing is
   * changed.
   */
  create(record: UploadRecord, isTentative?: boolean): Promise<StoredUpload>
  /**
   * Creates a finished upload whose bytes are all in memory: like `create`, an attempt, and `finish`, in fewer steps.
   *
   * @param prepare is called when the bytes are at the place of an unfinished upload, and there is no record yet.
   * @throws UploadError `no_space`, `storage_error`, and what `prepare` throws; then there is no such upload.
   */
  createFinished(
    record: UploadRecord,
    bytes: readonly Buffer[],
    prepare?: () => Promise<Prepared>,
  ): Promise<StoredUpload>
  /**
   * Creates an upload with all bytes of a finished one of this store and of the same length, without reading them. It
   * is not finished yet; later it does not depend on the other. When this returns, it survives a crash of the process,
   * but it may fail with `part_gone` if the other is removed before it is finished.
   *
   * @throws UploadError `not_found` if the other is gone, or its bytes cannot be shared; `no_space`, `storage_error`.
   * Then there is no such upload.
   */
  createFrom(record: UploadRecord, source: StoredUpload): Promise<StoredUpload>
  open(id: string): Promise<Found>
  /** Ids of one group: those that begin with `group` and a dot, in no order, without removed ones. */
  group(group: string): Promise<readonly string[]>
  /**
   * Ids that begin with `start` and a dot: at most `most` of them, those that changed last, in ascending order of that,
   * without removed ones. `start` begins with a group.
   */
  newest(start: string, most: number): Promise<readonly string[]>
  /** The unfinished uploads, in no order. Uploads that are added or removed meanwhile may or may not appear. */
  unfinished(): AsyncIterable<UnfinishedUpload>
  /**
   * Ids of unfinished uploads that a crash of this or another node may have interrupted while no client waits for them:
   * all that have all their bytes, and maybe more. Where other nodes share the storage, this takes a while.
   *
   * @param signal ends it early.
   */
  due(signal: AbortSignal): AsyncIterable<string>
  /** The names of all partitions: each upload is in one. Partitions that are added meanwhile may or may not appear. */
  partitions(): Promise<readonly string[]>
  /** Ids of the uploads in a partition, without removed ones. */
  partition(name: string): Promise<readonly string[]>
  /** The partition of an upload, whether it exists or not. */
  partitionOf(id: string): string
  /** The summary of an upload, without opening or changing it; `undefined` if there is none that can be opened. */
  summary(id: string): Promise<UploadSummary | undefined>
  /**
   * When the last byte of an unfinished upload arrived, or when a finished one was renamed; the epoch if there is none.
   */
  lastChange(id: string): Promise<Date>
  /** Ids of the tombstones from before `deadline`, in no order. */
  gone(deadline: Date): Promise<readonly string[]>
  /** When the removal of the upload began; `undefined` without a tombstone. @throws UploadError `storage_error`. */
  goneSince(id: string): Promise<Date | undefined>
  /** Removes a tombstone: the id is unknown from then on. */
  forget(id: string): Promise<void>
  /** Where a program of this host finds the bytes of an upload that is or is not finished, if they are in a file. */
  pathOf(record: UploadRecord, isFinished: boolean): string | undefined
  /**
   * Removes what crashes have left, if opening the store does not.
   *
   * @param signal ends it early.
   * @throws UploadError `storage_error`.
   */
  tidy(signal: AbortSignal): Promise<void>
  /** Where the file of an upload is when it is finished. Only stores have it that keep files in a bucket. */
  objectOf?(record: UploadRecord): ObjectPlace | undefined
  /** What is free for new uploads. @throws UploadError `storage_error`. */
  space(): Promise<Space>
  close(): Promise<void>
}
