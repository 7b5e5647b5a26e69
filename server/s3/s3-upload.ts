import { UploadError } from '../core/errors.ts'
import { covers, type Range, type Ranges } from '../core/ranges.ts'
import type { FailureReason, UploadRecord } from '../core/record.ts'
import type { Attempt, Count, Departure, ObjectPlace, Occupied, StoredUpload } from '../core/store.ts'
import { type Composed, Composition } from './composition.ts'
import type { FinishedUpload } from './ends.ts'
import type { Environment } from './environment.ts'
import { notesKey } from './keys.ts'
import { Lifecycle, type OpenedState } from './lifecycle.ts'
import { LiveFolder } from './live-folder.ts'
import { optionsOf } from './object-options.ts'
import { type OpenedPieces, ReceivedPieces } from './received-pieces.ts'
import { S3Error } from './s3-error.ts'
import { onS3, storageError } from './storage-error.ts'

/** An unfinished upload when it is opened. */
export interface OpenedUpload extends OpenedState, OpenedPieces {
  /** Names of all objects of the upload but claims. */
  readonly names: readonly string[]
}

/** An upload in S3: reads its bytes, makes its file, and deletes what it has left. */
export class S3Upload implements StoredUpload {
  readonly parallel: number
  readonly #environment: Environment
  readonly #folder: LiveFolder
  readonly #life: Lifecycle
  readonly #pieces: ReceivedPieces
  readonly #composition: Composition

  constructor(environment: Environment, opened: OpenedUpload | FinishedUpload) {
    this.#environment = environment
    this.parallel = environment.parallel
    const { port, prefix } = environment
    const live = 'kind' in opened ? undefined : opened
    const { id } = 'kind' in opened ? opened.record : opened.state.record
    this.#folder = new LiveFolder(port, prefix, id, live?.names ?? [])
    this.#life = new Lifecycle(environment, this.#folder, opened)
    this.#pieces = new ReceivedPieces(environment, this.#folder, this.#life, live, {
      read: (range) => this.read(range),
      counted: (range) => this.#composition.look(range),
    })
    this.#composition = new Composition(environment, this.#composed(), this.#life.state.multipart)
  }

  get record(): UploadRecord {
    return this.#life.state.record
  }

  get received(): Ranges {
    const { discarded, record, source } = this.#life.state
    if (this.removed) return []
    const isWhole = this.finished || discarded === true || source !== undefined
    return isWhole && record.length !== null && record.length > 0
      ? [{ start: 0, end: record.length }]
      : this.#pieces.ranges
  }

  get finished(): boolean {
    return this.#life.finished !== undefined
  }

  get removed(): boolean {
    return this.#life.removed
  }

  get finishedAt(): Date | undefined {
    return this.#life.finished?.finishedAt
  }

  get path(): undefined {
    return undefined
  }

  get object(): ObjectPlace | undefined {
    const { bucket } = this.#environment
    const { finished } = this.#life
    return finished === undefined ? undefined : { bucket, key: finished.key }
  }

  get moved(): boolean {
    return this.#life.moved
  }

  stride(position: number): number {
    return this.#pieces.pieceEnd(position) - position
  }

  confirm(): Promise<void> {
    return this.#life.confirm()
  }

  /** Writes the first record, if that has not happened. @throws UploadError `moved` if another one was first. */
  ensureCreated(): Promise<void> {
    return onS3(() => this.#life.ensureCreated())
  }

  async begin(range: Range, count: Count): Promise<Attempt> {
    this.#life.check()
    return this.#pieces.begin(range, count)
  }

  update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    return this.#life.update(change)
  }

  async *read(range: Range): AsyncGenerator<Buffer> {
    let { start } = range
    let missing: string | undefined
    while (start < range.end) {
      const from = this.#sourceAt(start)
      const end = Math.min(range.end, from.end)
      try {
        for await (const bytes of this.#environment.port.read(from.key, {
          start: start - from.start,
          end: end - from.start,
        })) {
          start += bytes.length
          yield bytes
        }
      } catch (error) {
        // The piece has become a part of a cover or of the file meanwhile.
        const isAbsent = error instanceof S3Error && error.outcome === 'absent'
        if (isAbsent && from.key === this.#life.state.source) throw sourceGone()
        if (!isAbsent) throw storageError(error)
        if (missing === from.key) {
          await this.#life.checkEnd()
          throw storageError(error)
        }
        missing = from.key
      }
    }
  }

  async seal(): Promise<undefined> {
    // Bytes that were refused never became pieces.
  }

  /** @param at when it was finished, if another store has done that before. */
  async finish(after?: Promise<void>, at?: Date): Promise<void> {
    if (this.finished) return
    this.#life.check()
    try {
      await onS3(async () => {
        await this.#life.ensureCreated()
        const { date } = await this.#composition.complete().catch((error: unknown) => this.#checkSource(error))
        this.#life.term.expectRecent(date)
      })
      await after
      await this.#life.commit(at)
    } catch (error) {
      await this.#life.adoptEnd(error)
    }
    await this.#composition.end()
    await this.#pieces.end()
    this.#folder.removeAll().catch(() => undefined)
  }

  fail(reason: FailureReason): Promise<void> {
    return this.update((record) => (record.failed ? record : { ...record, failed: reason }))
  }

  async absorb(part: StoredUpload, position: number): Promise<boolean> {
    if (!(part instanceof S3Upload)) return false
    const length = part.record.length ?? 0
    await this.#pieces.absorb(part.#pieces, position)
    if (!part.record.joined) await part.update((record) => ({ ...record, joined: true }))
    this.#composition.look({ start: position, end: position + length })
    return true
  }

  async discardBytes(): Promise<void> {
    if (this.removed) return
    await this.#life.change((state) => {
      if (state.discarded) return undefined
      return { ...state, record: { ...state.record, joined: true }, discarded: true }
    })
    await this.#composition.end()
    await onS3(() => this.#pieces.remove())
  }

  async abandon(): Promise<void> {
    if (this.record.failed === undefined || this.removed) return
    await this.#composition.end()
    await this.#composition.abort()
    await onS3(() => this.#pieces.remove())
  }

  async quarantine(): Promise<void> {
    // Nobody reads the pieces of a failed upload but the operator.
    if (!this.#environment.keepsRejected) await this.abandon()
  }

  async isQuarantined(): Promise<boolean> {
    const { length } = this.record
    const isWhole = length !== null && covers(this.received, { start: 0, end: length })
    return this.#environment.keepsRejected && isWhole
  }

  async readmit(): Promise<void> {
    if (this.record.failed === undefined || this.removed) return
    if (!(await this.isQuarantined())) {
      throw new UploadError('gone', 'The bytes of this file are no longer in quarantine.')
    }
    await this.update(({ failed, ...record }) => ({ ...record, released: true }))
  }

  async touch(): Promise<void> {
    // The time of the newest record or piece counts.
    await this.#life.change((state) => state)
    this.#pieces.touch()
  }

  async remove(why: Departure): Promise<void> {
    if (this.removed) return
    if (this.#life.isUnwritten) return this.#life.forget()
    // Its id may come again, and must not be used twice: the empty upload is that of the next request.
    if (why === 'refused') return
    await this.#composition.end()
    await this.#life.remove(why)
    await this.#pieces.close()
    await this.#composition.abort()
    const { prefix, port, keyOf } = this.#environment
    const { state, finished } = this.#life
    const { record } = state
    await onS3(async () => {
      await port.remove([finished?.key ?? keyOf(record), notesKey(prefix, record.id)])
      await this.#folder.removeAll()
    })
  }

  async occupied(): Promise<Occupied> {
    const { finished } = this.#life
    if (this.removed) return { bytes: 0, files: 0 }
    if (finished !== undefined) return { bytes: finished.size, files: 2 }
    const { bytes, files } = this.#pieces.occupied
    return { bytes, files: 1 + files }
  }

  async lastChange(): Promise<Date> {
    return this.finishedAt ?? this.#pieces.changedAt ?? new Date(0)
  }

  async release(): Promise<void> {}

  async close(): Promise<void> {
    await this.#composition.end()
    await this.#pieces.close()
  }

  /** What the file is composed of. */
  #composed(): Composed {
    const upload = this
    return {
      get id() {
        return upload.record.id
      },
      get length() {
        return upload.record.length
      },
      get key() {
        return upload.#environment.keyOf(upload.record)
      },
      get options() {
        return optionsOf(upload.record)
      },
      get cellSize() {
        return upload.#pieces.cellSize
      },
      has: (range) => covers(upload.received, range),
      objectWith: async (range) => {
        const { source } = upload.#life.state
        if (source !== undefined) return { key: source, start: 0 }
        const { name, start } = await upload.#pieces.with(range)
        return { key: upload.#folder.key(name), start }
      },
      noteMultipart: (multipart) => this.#life.change((state) => ({ ...state, multipart })),
    }
  }

  /** Where the byte at `position` is. @throws UploadError `storage_error`. */
  #sourceAt(position: number): Range & { readonly key: string } {
    const { finished, state } = this.#life
    if (finished !== undefined) return { key: finished.key, start: 0, end: finished.size }
    const { source, record } = state
    if (source !== undefined) return { key: source, start: 0, end: record.length ?? 0 }
    const piece = this.#pieces.at(position)
    if (piece === undefined) throw new UploadError('storage_error', 'The stored bytes could not be read.')
    return { key: this.#folder.key(piece.name), start: piece.start, end: piece.end }
  }

  /** @throws UploadError `part_gone` if the file that this one is copied from is gone; otherwise `error`. */
  async #checkSource(error: unknown): Promise<never> {
    const { source } = this.#life.state
    const isThere = source === undefined || (await this.#environment.port.head(source)).found !== undefined
    throw isThere ? error : sourceGone()
  }
}

/** The error of an upload whose bytes were those of another one. */
function sourceGone(): UploadError {
  return new UploadError('part_gone', 'The file with the same content was removed meanwhile.')
}
