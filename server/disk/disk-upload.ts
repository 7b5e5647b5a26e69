import { type FileHandle, stat } from 'node:fs/promises'
import path from 'node:path'
import { UploadError } from '../core/errors.ts'
import { failureError } from '../core/failure.ts'
import { queue } from '../core/queue.ts'
import { add, lengthOf, prefix, type Range, type Ranges } from '../core/ranges.ts'
import type { FailureReason, UploadRecord } from '../core/record.ts'
import type { Attempt, Count, Departure, Occupied, StoredUpload } from '../core/store.ts'
import { absorbPart } from './absorb-part.ts'
import { Attempts } from './attempts.ts'
import { BackgroundSync } from './background-sync.ts'
import { onDisk, onDiskWithoutBytes, synced } from './disk-error.ts'
import type { Environment } from './environment.ts'
import { openExisting, syncPath, withExisting, writeAll } from './files.ts'
import { emptyFailed, quarantineRejected, removeJoined } from './free-bytes.ts'
import type { Journal } from './journal.ts'
import { moveToFiles } from './move-to-files.ts'
import { readAhead } from './read-ahead.ts'
import { markRecord, replaceRecord, syncRecord } from './record-file.ts'
import { removeBytes } from './removal.ts'
import { isReadmittable, takeBackRejected } from './take-back.ts'
import { makeTombstone } from './tombstone.ts'
import { finishedAtOf, lastChange, occupiedBy, openBytes, syncLanding } from './upload-files.ts'
import { UploadJournal } from './upload-journal.ts'

/** The state of an upload when it is opened. */
export interface Opened {
  readonly record: UploadRecord
  readonly received: Ranges
  readonly journal: Journal | undefined
  /** The incoming file, if it is already open. */
  readonly file?: FileHandle
  readonly finishedAt?: Date
  /** How many of the received bytes may not be on disk; a killed process has left them. */
  readonly unsynced?: number
}

/**
 * An upload on disk. Without a journal, its offset is the size of its file, so it is written in order, one write at a
 * time. Once it has a journal, only the journal determines which bytes count.
 */
export class DiskUpload implements StoredUpload {
  readonly #environment: Environment
  #record: UploadRecord
  #received: Ranges
  readonly #journal: UploadJournal
  #file: FileHandle | undefined
  /** Set after the rename: finishing may have to be retried from there. */
  #renamedAt: Date | undefined
  #finishedAt: Date | undefined
  readonly #attempts = new Attempts(() => this.#cutOff())
  readonly #sync: BackgroundSync
  #removed = false
  readonly #recordTurn = queue()

  constructor(environment: Environment, opened: Opened) {
    this.#environment = environment
    this.#record = opened.record
    this.#received = opened.received
    this.#journal = new UploadJournal(environment, opened.record.id, opened.journal, () => ({
      received: this.#received,
      synced: add([], { start: 0, end: this.#record.mark?.synced ?? 0 }),
    }))
    this.#file = opened.file
    this.#finishedAt = opened.finishedAt
    this.#sync = new BackgroundSync(environment, {
      file: environment.layout.incomingFile(opened.record.id),
      marker: () => this.#marker(),
      onFailure: () => this.#noteSyncFailure(),
    })
    this.#sync.add(opened.unsynced ?? 0)
  }

  get record(): UploadRecord {
    return this.#record
  }

  get received(): Ranges {
    return this.#received
  }

  get finished(): boolean {
    return this.#finishedAt !== undefined
  }

  get removed(): boolean {
    return this.#removed
  }

  get finishedAt(): Date | undefined {
    return this.#finishedAt
  }

  get path(): string {
    const { layout } = this.#environment
    return this.#renamedAt === undefined && !this.finished
      ? layout.incomingFile(this.#record.id)
      : layout.finishedFile(this.#record)
  }

  /** No other process has the directory. */
  readonly moved = false
  readonly parallel = 1

  stride(): number {
    return 0
  }

  async confirm(): Promise<void> {}

  async begin(range: Range, count: Count): Promise<Attempt> {
    const over = await this.#attempts.begin()
    try {
      return await onDisk(() => this.#attempt(range, count, over))
    } catch (error) {
      await over('counts')
      throw error
    }
  }

  async #attempt(range: Range, count: Count, over: (outcome: 'counts' | 'refused') => Promise<void>): Promise<Attempt> {
    const plain =
      count === 'as-received' && range.start === prefix(this.#received) && this.#environment.sync !== 'always'
    if (!plain) await this.#journal.start()
    await this.#journal.clear()
    const file = await this.#open()
    let end = range.start
    return {
      isDue: true,
      write: async (buffers) => {
        end += await writeAll(file, buffers, end, (written) => {
          end += written
        })
        this.#environment.onStep('write:returned')
      },
      commit: async () => {
        try {
          await this.#commit(file, { start: range.start, end })
        } catch (error) {
          await over('refused')
          throw error
        }
        await over('counts')
      },
      discard: () => over('refused'),
    }
  }

  async update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    await onDisk(() =>
      this.#recordTurn(async () => {
        const record = change(this.#record)
        if (record === this.#record || this.#removed) return
        await replaceRecord(this.#environment, record)
        this.#record = record
      }),
    )
  }

  async *read(range: Range): AsyncGenerator<Buffer> {
    if (lengthOf(range) === 0) return
    const file = await onDisk(() => openBytes(this.#environment, this.#record)).catch((error: unknown) => {
      throw this.#removed ? new UploadError('gone', 'This upload is gone.') : error
    })
    yield* readAhead(file, range)
  }

  async seal(): Promise<string> {
    const { id, length } = this.#record
    const incoming = this.#environment.layout.incomingFile(id)
    await onDisk(async () => {
      if (length === null || (await stat(incoming)).size <= length) return
      await withExisting(incoming, (file) => file.truncate(length))
    })
    return incoming
  }

  async finish(after?: Promise<void>): Promise<void> {
    const { sync, onStep } = this.#environment
    await this.#sync.settled()
    if (this.#sync.failure !== undefined) throw this.#sync.failure
    if (this.#renamedAt === undefined) {
      const file = await onDisk(() => this.#open())
      this.#renamedAt = await moveToFiles(this.#environment, this.#record, file, after)
    }
    if (sync !== 'never') await onDisk(() => syncLanding(this.#environment, this.#record))
    onStep('finish:directories')
    this.#sync.clear()
    this.#finishedAt = finishedAtOf(this.#record, this.#renamedAt)
    // A leftover journal does no harm: the next start removes it.
    await this.#journal.drop().catch(() => undefined)
    onStep('finish:done')
  }

  fail(reason: FailureReason): Promise<void> {
    return this.update((record) => (record.failed ? record : { ...record, failed: reason }))
  }

  async absorb(part: StoredUpload, position: number): Promise<boolean> {
    if (position > 0) return false
    const length = part.record.length ?? 0
    await part.close()
    if (part.record.failed !== undefined) throw failureError(part.record.failed)
    await this.release()
    await onDisk(() => absorbPart(this.#environment, this, part, length))
    this.#received = add([], { start: 0, end: length })
    this.#environment.onStep('takeover:renamed')
    return true
  }

  async discardBytes(): Promise<void> {
    await this.#sync.settled()
    await this.release()
    if (!this.#record.joined) await this.update((record) => ({ ...record, joined: true }))
    await onDisk(() => removeJoined(this.#environment, this.#record.id))
    this.#journal.forget()
    this.#sync.clear()
    this.#environment.onStep('release:done')
  }

  async remove(why: Departure): Promise<void> {
    const { layout, sync, directorySync, onStep } = this.#environment
    const { id, owner, folder } = this.#record
    const removal = why === 'expired' ? 'expire' : 'remove'
    await this.#sync.settled()
    await this.release()
    const isWhole = await onDiskWithoutBytes(async () => {
      const isWhole = await makeTombstone(path.join(layout.leaving, id), why, owner, sync === 'always')
      this.#removed = true
      this.#sync.clear()
      this.#journal.forget()
      this.#received = []
      if (sync === 'always') await directorySync.sync(layout.leaving)
      return isWhole
    })
    onStep(`${removal}:tombstone`)
    // Queued with updates: none of them may write the record again.
    await onDisk(() =>
      this.#recordTurn(() =>
        removeBytes(this.#environment, id, {
          isRemembered: why !== 'refused',
          isWhole,
          folder,
          onStep: (step) => onStep(`${removal}:${step}`),
        }),
      ),
    )
    onStep(`${removal}:done`)
  }

  async abandon(): Promise<void> {
    if (this.#record.failed === undefined || this.#removed) return
    await this.#sync.settled()
    await onDisk(() => emptyFailed(this.#environment, this.#record.id))
    this.#sync.clear()
  }

  async quarantine(): Promise<void> {
    if (this.#record.failed === undefined || this.#removed) return
    await this.#sync.settled()
    await this.release()
    await onDisk(() => quarantineRejected(this.#environment, this.#record.id))
    this.#journal.forget()
    this.#sync.clear()
    this.#environment.onStep('reject:done')
  }

  async isQuarantined(): Promise<boolean> {
    return onDisk(() => isReadmittable(this.#environment, this.#record))
  }

  async readmit(): Promise<void> {
    const { length, failed } = this.#record
    if (failed === undefined || length === null || this.#removed) return
    await this.#sync.settled()
    await this.release()
    await onDisk(() => takeBackRejected(this.#environment, this.#record))
    this.#environment.onStep('readmit:moved')
    this.#journal.forget()
    this.#sync.clear()
    const { boot } = this.#environment
    await this.update(({ failed, ...record }) => ({ ...record, released: true, mark: { boot, synced: length } }))
    this.#received = add([], { start: 0, end: length })
    this.#environment.onStep('readmit:done')
  }

  async touch(): Promise<void> {
    const now = new Date()
    await onDisk(async () => {
      const file = await openExisting(this.#environment.layout.incomingFile(this.#record.id))
      try {
        await file.utimes(now, now)
        // The time is metadata, which datasync leaves to the OS.
        if (this.#environment.sync !== 'never') await file.sync()
      } finally {
        await file.close()
      }
    })
  }

  /** Makes an unfinished upload durable. @throws UploadError `sync_failed`, `no_space`, `storage_error`. */
  async secure(): Promise<void> {
    const { layout, boot, directorySync } = this.#environment
    const { id } = this.#record
    await onDisk(async () => {
      await syncPath(layout.incomingFile(id), 'data')
      if (!this.#journal.isThere) {
        const synced = prefix(this.#received)
        await this.update((record) => (record.mark?.synced === synced ? record : { ...record, mark: { boot, synced } }))
      } else {
        await this.#journal.secure()
      }
      await syncRecord(this.#environment, id)
      const folders = [layout.incoming, layout.journals, layout.recordFolder(id), layout.records]
      await Promise.all(folders.map((folder) => directorySync.sync(folder)))
    })
  }

  occupied(): Promise<Occupied> {
    return onDisk(() => occupiedBy(this.#environment, this.#record))
  }

  async lastChange(): Promise<Date> {
    return onDisk(() => lastChange(this.#environment, this.#record))
  }

  async release(): Promise<void> {
    const file = this.#file
    if (file === undefined && !this.#journal.isOpen) return
    this.#file = undefined
    await onDisk(async () => {
      try {
        await this.#journal.close()
      } finally {
        await file?.close()
      }
    })
  }

  async close(): Promise<void> {
    // Before anything waits: a put that begins meanwhile opens its own descriptors.
    const released = this.release()
    // A running sync does not cover bytes that arrived after it began.
    await this.#sync.settled()
    if (this.#record.failed !== undefined) this.#sync.clear()
    if (this.#sync.unsynced > 0) this.#sync.startMarking()
    await this.#sync.settled()
    await released
    await this.#noteSyncFailure()
  }

  async #open(): Promise<FileHandle> {
    if (this.#file !== undefined) return this.#file
    const file = await openExisting(this.#environment.layout.incomingFile(this.#record.id))
    if (this.#file !== undefined) {
      // Another put opened it first.
      await file.close()
      return this.#file
    }
    this.#file = file
    return file
  }

  async #commit(file: FileHandle, range: Range): Promise<void> {
    const { sync, unsynced } = this.#environment
    const isFirst = sync === 'finish' && this.#sync.unsynced === 0 && lengthOf(range) > 0
    // Not earlier: a slow client must not hold a slot.
    const leave = isFirst ? await unsynced.enter() : undefined
    try {
      await this.#countRange(file, range)
    } finally {
      leave?.()
    }
    await this.#journal.compact()
    this.#sync.startIfDue()
  }

  async #countRange(file: FileHandle, range: Range): Promise<void> {
    if (this.#sync.failure !== undefined) throw this.#sync.failure
    if (lengthOf(range) === 0) return
    if (this.#environment.sync === 'always') await synced(() => file.datasync())
    // A journal that is being created lacks this range; the append waits for it.
    if (this.#journal.isAwaited) await onDisk(() => this.#journal.append(range))
    this.#received = add(this.#received, range)
    this.#sync.add(lengthOf(range))
  }

  /** Cuts off everything after the last byte that counts. */
  async #cutOff(): Promise<void> {
    const end = this.#received.at(-1)?.end ?? 0
    const file = await this.#open()
    if ((await file.stat()).size > end) await file.truncate(end)
    if (end === 0) await this.#journal.drop()
  }

  #marker(): () => Promise<boolean> {
    const synced = prefix(this.#received)
    return (
      this.#journal.marker() ??
      (async () => {
        await this.#recordTurn(() => this.#markRecord(synced))
        return true
      })
    )
  }

  async #markRecord(synced: number): Promise<void> {
    if (this.#removed) return
    const record = { ...this.#record, mark: { boot: this.#environment.boot, synced } }
    await markRecord(this.#environment, record)
    this.#record = record
  }

  /** Records a failed sync: otherwise, the next opening would sync again, and succeed without the bytes. */
  async #noteSyncFailure(): Promise<void> {
    if (this.#sync.failure === undefined) return
    const { message } = this.#sync.failure
    await this.fail({ code: 'sync_failed', message })
  }
}
