import { UploadError } from '../core/errors.ts'
import { queue } from '../core/queue.ts'
import { covers, lengthOf, type Range, type Ranges } from '../core/ranges.ts'
import type { FailureReason, UploadRecord } from '../core/record.ts'
import type { Attempt, Count, Departure, ObjectPlace, Occupied, StoredUpload } from '../core/store.ts'
import { moved } from '../core/upload.ts'
import { PieceAttempt, type PiecesOf } from './attempt.ts'
import { cellEnd, cellOfChunks, cellSize, firstGathered } from './cells.ts'
import { type Composed, Composition } from './composition.ts'
import { copyPieces } from './copy-pieces.ts'
import { type CoveredUpload, Covers } from './covers.ts'
import { type Done, formatLiveState, formatNotes, type LiveState } from './documents.ts'
import { type FinishedUpload, goneError, putFinished, putGone, readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { notesKey } from './keys.ts'
import { LiveFolder } from './live-folder.ts'
import { JOINED, type Piece, recordName } from './names.ts'
import { optionsOf } from './object-options.ts'
import { PieceMap } from './piece-map.ts'
import { S3Error } from './s3-error.ts'
import type { Answered } from './s3-port.ts'
import { onS3, storageError } from './storage-error.ts'
import { Term } from './term.ts'

/** An unfinished upload when it is opened. */
export interface OpenedUpload {
  readonly state: LiveState
  readonly term: Term
  readonly pieces: readonly Piece[]
  /** Names of all objects of the upload but claims. */
  readonly names: readonly string[]
  /** When the last byte arrived, by the clock of this host. */
  readonly changedAt: Date
  /** Writes the first record, if that has not happened yet. It may be called again. */
  readonly create?: () => Promise<Answered>
}

/** An upload in S3 that this process writes in one term. */
export class S3Upload implements StoredUpload {
  readonly parallel: number
  readonly #environment: Environment
  readonly #folder: LiveFolder
  /** That of a finished upload never begins. */
  readonly #term: Term
  #pieces: PieceMap
  readonly #composition: Composition
  readonly #create: (() => Promise<Answered>) | undefined
  readonly #recordTurn = queue()
  readonly #covers: Covers
  readonly #attempts = new Set<PieceAttempt>()
  #created: Promise<void> | undefined
  #state: LiveState
  #sequence = 0
  #changedAt: Date | undefined
  #finished: FinishedUpload | undefined
  #removed = false
  #isInDoubt = false

  constructor(environment: Environment, opened: OpenedUpload | FinishedUpload) {
    this.#environment = environment
    this.parallel = environment.parallel
    const { port, prefix } = environment
    if ('kind' in opened) {
      this.#finished = opened
      this.#state = { record: opened.record }
      this.#pieces = new PieceMap([])
      this.#term = new Term(port, '', 0, undefined)
    } else {
      this.#term = opened.term
      this.#state = opened.state
      this.#pieces = new PieceMap(opened.pieces)
      this.#changedAt = opened.changedAt
      this.#create = opened.create
    }
    this.#folder = new LiveFolder(port, prefix, this.#state.record.id, 'kind' in opened ? [] : opened.names)
    this.#covers = new Covers(environment, this.#covered())
    this.#composition = new Composition(environment, this.#composed(), this.#state.multipart)
  }

  get record(): UploadRecord {
    return this.#state.record
  }

  get received(): Ranges {
    const { discarded, record, source } = this.#state
    if (this.#removed) return []
    const isWhole = this.#finished !== undefined || discarded === true || source !== undefined
    return isWhole && record.length !== null && record.length > 0
      ? [{ start: 0, end: record.length }]
      : this.#pieces.received
  }

  get finished(): boolean {
    return this.#finished !== undefined
  }

  get removed(): boolean {
    return this.#removed
  }

  get finishedAt(): Date | undefined {
    return this.#finished?.finishedAt
  }

  get path(): undefined {
    return undefined
  }

  get object(): ObjectPlace | undefined {
    const { bucket } = this.#environment
    return this.#finished === undefined ? undefined : { bucket, key: this.#finished.key }
  }

  get moved(): boolean {
    return !this.#removed && (this.#isInDoubt || this.#term.isOver) && !this.finished
  }

  stride(position: number): number {
    return this.#cellEnd(position, undefined) - position
  }

  async confirm(): Promise<void> {
    if (this.#removed) return
    if (this.#finished !== undefined) return this.#confirmFinished()
    await this.#sure(() => this.#ensureCreated())
    await onS3(async () => this.#term.check())
  }

  async begin(range: Range, count: Count): Promise<Attempt> {
    this.#check()
    const attempt = new PieceAttempt(this.#environment, this.#piecesOf(), range, count)
    this.#attempts.add(attempt)
    return attempt
  }

  async update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    await this.#recordTurn(async () => {
      if (this.#removed) return
      const record = change(this.#state.record)
      if (record === this.#state.record) return
      if (this.#finished !== undefined) {
        await onS3(() => this.#environment.port.put(notesKey(this.#environment.prefix, record.id), formatNotes(record)))
        this.#state = { ...this.#state, record }
      } else await this.#keep({ ...this.#state, record })
    })
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
        if (isAbsent && from.key === this.#state.source) throw sourceGone()
        if (!isAbsent) throw storageError(error)
        if (missing === from.key) {
          await this.#checkEnd()
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
    if (this.#finished !== undefined) return
    this.#check()
    try {
      await onS3(async () => {
        await this.#ensureCreated()
        const { date } = await this.#composition.complete().catch((error: unknown) => this.#checkSource(error))
        this.#term.expectRecent(date)
      })
      await after
      await this.#recordTurn(() => this.#commit(at))
    } catch (error) {
      await this.#adoptEnd(error)
    }
    await this.#composition.end()
    this.#pieces = new PieceMap([])
    await this.#covers.close()
    this.#folder.removeAll().catch(() => undefined)
  }

  fail(reason: FailureReason): Promise<void> {
    return this.update((record) => (record.failed ? record : { ...record, failed: reason }))
  }

  async absorb(part: StoredUpload, position: number): Promise<boolean> {
    if (!(part instanceof S3Upload)) return false
    const length = part.record.length ?? 0
    this.#check()
    await this.#sure(async () => {
      await this.#ensureCreated()
      const to = { folder: this.#folder, term: this.#term.number, position }
      await this.#count(await copyPieces(this.#environment, part.#folder, await part.#tiles(), to))
    })
    if (!part.record.joined) await part.update((record) => ({ ...record, joined: true }))
    this.#composition.look({ start: position, end: position + length })
    return true
  }

  async discardBytes(): Promise<void> {
    if (this.#removed) return
    await this.#recordTurn(async () => {
      if (this.#state.discarded) return
      await this.#keep({ ...this.#state, record: { ...this.#state.record, joined: true }, discarded: true })
    })
    await this.#composition.end()
    await onS3(() => this.#folder.remove(this.#pieces.all))
  }

  async abandon(): Promise<void> {
    if (this.#state.record.failed === undefined || this.#removed) return
    await this.#composition.end()
    await this.#composition.abort()
    await onS3(() => this.#folder.remove(this.#pieces.all))
  }

  async quarantine(): Promise<void> {
    // Nobody reads the pieces of a failed upload but the operator.
    if (!this.#environment.keepsRejected) await this.abandon()
  }

  async isQuarantined(): Promise<boolean> {
    const { length } = this.#state.record
    const isWhole = length !== null && covers(this.received, { start: 0, end: length })
    return this.#environment.keepsRejected && isWhole
  }

  async readmit(): Promise<void> {
    if (this.#state.record.failed === undefined || this.#removed) return
    if (!(await this.isQuarantined())) {
      throw new UploadError('gone', 'The bytes of this file are no longer in quarantine.')
    }
    await this.update(({ failed, ...record }) => ({ ...record, released: true }))
  }

  async touch(): Promise<void> {
    // The time of the newest record or piece counts.
    await this.#recordTurn(() => this.#keep(this.#state))
    this.#changedAt = this.#now()
  }

  async remove(why: Departure): Promise<void> {
    if (this.#removed) return
    // Nothing was ever written.
    if (this.#create !== undefined && this.#created === undefined && !this.#isInDoubt) {
      this.#removed = true
      return
    }
    // Its id may come again, and must not be used twice: the empty upload is that of the next request.
    if (why === 'refused') return
    await this.#composition.end()
    await this.#recordTurn(() => this.#remove(why))
    await this.#covers.close()
    await this.#composition.abort()
    const { prefix, port, keyOf } = this.#environment
    const { record } = this.#state
    await onS3(async () => {
      await port.remove([this.#finished?.key ?? keyOf(record), notesKey(prefix, record.id)])
      await this.#folder.removeAll()
    })
  }

  async occupied(): Promise<Occupied> {
    if (this.#removed) return { bytes: 0, files: 0 }
    if (this.#finished !== undefined) return { bytes: this.#finished.size, files: 2 }
    const stored = this.#pieces.all.reduce((sum, piece) => sum + lengthOf(piece), 0)
    const arriving = [...this.#attempts].reduce((sum, attempt) => sum + attempt.size, 0)
    return { bytes: stored + arriving, files: 1 + this.#pieces.all.length }
  }

  async lastChange(): Promise<Date> {
    if (this.#finished !== undefined) return this.#finished.finishedAt
    return this.#changedAt ?? new Date(0)
  }

  async release(): Promise<void> {}

  async close(): Promise<void> {
    await this.#composition.end()
    await this.#covers.close()
  }

  /** The upload of which the attempts are. */
  #piecesOf(): PiecesOf {
    return {
      term: this.#term.number,
      cellEnd: (position, range) => this.#cellEnd(position, range),
      cut: (position, count) => {
        const { cells } = this.#environment
        const isOpen = position === 0 && this.#knownCellSize() === undefined && this.#pieces.all.length === 0
        // More than one request of a usual size: it is a long one.
        return isOpen && count >= firstGathered(cells) ? cells.usual : count
      },
      put: (piece, bytes) =>
        this.#sure(async () => {
          await this.#ensureCreated()
          await this.#folder.put(piece.name, bytes)
          this.#covers.keep(piece, bytes)
        }),
      count: (pieces) => this.#sure(() => this.#count(pieces)),
      drop: (pieces) => {
        this.#covers.forget(pieces)
        this.#folder.removeLater(pieces)
      },
      over: (attempt) => this.#attempts.delete(attempt),
    }
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
        return upload.#cellSize
      },
      has: (range) => covers(upload.received, range),
      objectWith: async (range) => {
        const { source } = upload.#state
        if (source !== undefined) return { key: source, start: 0 }
        const { name, start } = await upload.#covers.pieceWith(range)
        return { key: upload.#folder.key(name), start }
      },
      noteMultipart: (multipart) =>
        upload.#recordTurn(async () => {
          if (!upload.#removed) await upload.#keep({ ...upload.#state, multipart })
        }),
    }
  }

  /** What covers are made of. */
  #covered(): CoveredUpload {
    const upload = this
    return {
      get folder() {
        return upload.#folder
      },
      get term() {
        return upload.#term
      },
      get pieces() {
        return upload.#pieces
      },
      get cellSize() {
        return upload.#cellSize
      },
      read: (range) => upload.read(range),
      check: () => upload.#check(),
    }
  }

  get #cellSize(): number {
    if (this.#state.source !== undefined) return this.#environment.cells.copied
    return this.#knownCellSize() ?? this.#environment.cells.usual
  }

  #knownCellSize(): number | undefined {
    return cellSize(this.record, this.#pieces.first, this.#environment.cells)
  }

  /** @param chunk the range of a chunk; without it, the bytes are a stream. */
  #cellEnd(position: number, chunk: Range | undefined): number {
    const { cells } = this.#environment
    const known = this.#knownCellSize()
    if (known !== undefined) return cellEnd(position, known)
    if (chunk === undefined || position === 0) return position + firstGathered(cells)
    return cellEnd(position - chunk.start, cellOfChunks(lengthOf(chunk), cells)) + chunk.start
  }

  /** Where the byte at `position` is. @throws UploadError `storage_error`. */
  #sourceAt(position: number): Range & { readonly key: string } {
    if (this.#finished !== undefined) return { key: this.#finished.key, start: 0, end: this.#finished.size }
    const { source, record } = this.#state
    if (source !== undefined) return { key: source, start: 0, end: record.length ?? 0 }
    const piece = this.#pieces.at(position)
    if (piece === undefined) throw new UploadError('storage_error', 'The stored bytes could not be read.')
    return { key: this.#folder.key(piece.name), start: piece.start, end: piece.end }
  }

  /** @throws UploadError `moved`. */
  #check(): void {
    if (this.moved) throw moved()
  }

  /**
   * Runs calls that write in this term. If it is unknown whether they were applied, what counts is not known any more,
   * before the upload is opened again.
   *
   * @throws UploadError `moved`, `no_space`, `storage_error`.
   */
  async #sure<T>(work: () => Promise<T>): Promise<T> {
    this.#check()
    try {
      return await work()
    } catch (error) {
      if (error instanceof S3Error && error.outcome === 'unknown') this.#isInDoubt = true
      throw storageError(error)
    }
  }

  /** Writes the first record, if that has not happened. @throws UploadError `moved` if another one was first. */
  ensureCreated(): Promise<void> {
    return onS3(() => this.#ensureCreated())
  }

  async #ensureCreated(): Promise<void> {
    if (this.#create === undefined) return
    this.#created ??= this.#create().then(({ date }) => this.#term.begin(date))
    try {
      await this.#created
    } catch (error) {
      this.#created = undefined
      // The record of another creator, or maybe this one, is there.
      if (error instanceof S3Error ? error.outcome === 'unknown' : error instanceof UploadError) this.#isInDoubt = true
      throw error
    }
  }

  /**
   * Proves that what has been written counts. Without a proof, whatever the reason, a new term may count it.
   *
   * @throws UploadError `moved`, S3Error.
   */
  async #checkWritten(): Promise<void> {
    try {
      await this.#term.check()
    } catch (error) {
      this.#isInDoubt = true
      throw error
    }
    this.#check()
  }

  #now(): Date {
    return new Date(this.#environment.clock.now())
  }

  /** Makes stored pieces count. @throws UploadError `moved`, S3Error. */
  async #count(pieces: readonly Piece[]): Promise<void> {
    await this.#checkWritten()
    this.#pieces.add(pieces)
    this.#changedAt = this.#now()
    for (const piece of pieces) this.#composition.look(piece)
    for (const piece of pieces) this.#covers.mergeAround(piece)
  }

  /** Replaces the state. @throws UploadError like `#sure`. */
  async #keep(state: LiveState): Promise<void> {
    await this.#sure(async () => {
      await this.#ensureCreated()
      this.#sequence += 1
      await this.#folder.put(recordName(this.#term.number, this.#sequence), formatLiveState(state))
      await this.#checkWritten()
      if (state.record.joined) await this.#markJoined()
    })
    this.#check()
    this.#state = state
  }

  /** The record that says so is there, and this object does not know it yet. */
  async #markJoined(): Promise<void> {
    try {
      await this.#folder.put(JOINED, Buffer.alloc(0))
    } catch (error) {
      this.#isInDoubt = true
      throw error
    }
  }

  /** Pieces that have all bytes, each of them once. */
  async #tiles(): Promise<readonly Piece[]> {
    const tiles: Piece[] = []
    let end = 0
    for (let piece = this.#pieces.at(0); piece !== undefined; piece = this.#pieces.at(end)) {
      tiles.push(piece.start === end ? piece : await this.#covers.pieceWith({ start: end, end: piece.end }))
      end = piece.end
    }
    return tiles
  }

  /** The one commit of the file. */
  async #commit(at: Date | undefined): Promise<void> {
    if (this.#finished !== undefined || this.#removed) return
    this.#end(await this.#sure(() => putFinished(this.#environment, this.#state.record, at)))
  }

  /**
   * Another node may have finished or removed the upload, and deleted its pieces.
   *
   * @throws `error` unless it has finished it; UploadError `gone`.
   */
  async #adoptEnd(error: unknown): Promise<void> {
    const done = await readDone(this.#environment, this.record.id).catch(() => undefined)
    if (done === undefined) throw error
    this.#end(done)
  }

  /** @throws UploadError `part_gone` if the file that this one is copied from is gone; otherwise `error`. */
  async #checkSource(error: unknown): Promise<never> {
    const { source } = this.#state
    const isThere = source === undefined || (await this.#environment.port.head(source)).found !== undefined
    throw isThere ? error : sourceGone()
  }

  /** Takes over the end of the upload as S3 has it. @throws UploadError `gone`. */
  #end(done: Done | undefined): void {
    if (done?.kind === 'finished') {
      this.#finished = done
    } else {
      this.#removed = true
      throw goneError()
    }
  }

  /** A removal, of this node or another one, deletes the bytes of a reader that has not begun. @throws UploadError `gone`. */
  async #checkEnd(): Promise<void> {
    if (this.#removed) throw goneError()
    if (this.#finished !== undefined) await this.#confirmFinished()
  }

  async #confirmFinished(): Promise<void> {
    const done = await onS3(() => readDone(this.#environment, this.record.id))
    if (done?.kind === 'finished') return
    this.#removed = true
    throw goneError()
  }

  async #remove(why: Departure): Promise<void> {
    if (this.#finished === undefined) await this.#keep({ ...this.#state, leaving: { why } })
    await this.#sure(() => putGone(this.#environment, this.#state.record, why, this.#finished))
    this.#removed = true
  }
}

/** The error of an upload whose bytes were those of another one. */
function sourceGone(): UploadError {
  return new UploadError('part_gone', 'The file with the same content was removed meanwhile.')
}
