import { randomBytes } from 'node:crypto'
import { UploadError } from '../core/errors.ts'
import { eventOfFailure } from '../core/events.ts'
import { queue } from '../core/queue.ts'
import { covers, lengthOf, type Range, type Ranges } from '../core/ranges.ts'
import type { FailureReason, UploadRecord } from '../core/record.ts'
import type { Attempt, Count, Departure, Occupied, StoredUpload } from '../core/store.ts'
import { moved } from '../core/upload.ts'
import { contentHeaders } from '../download/content.ts'
import { PieceAttempt, type PiecesOf } from './attempt.ts'
import { cellEnd, cellOfChunks, cellSize, firstGathered } from './cells.ts'
import { type Composed, Composition } from './composition.ts'
import { type Done, formatDone, formatLiveState, formatNotes, type LiveState, parseDone } from './documents.ts'
import type { Environment } from './environment.ts'
import { doneKey, goneKey, liveFolder, notesKey } from './keys.ts'
import { JOINED, type Piece, pieceName, recordName } from './names.ts'
import { PieceMap } from './piece-map.ts'
import { S3Error } from './s3-error.ts'
import type { ObjectOptions } from './s3-port.ts'
import { onS3, storageError } from './storage-error.ts'
import type { Term } from './term.ts'

/** An unfinished upload when it is opened. */
export interface OpenedUpload {
  readonly state: LiveState
  readonly term: Term
  readonly pieces: readonly Piece[]
  /** When the last byte arrived, by the clock of this host. */
  readonly changedAt: Date
  /** Writes the first record, if that has not happened yet. It may be called again. */
  readonly create?: () => Promise<void>
}

/** A finished upload. */
export type FinishedUpload = Extract<Done, { kind: 'finished' }>

/** An upload in S3 that this process writes in one term. */
export class S3Upload implements StoredUpload {
  readonly parallel: number
  readonly #environment: Environment
  readonly #folder: string
  readonly #term: Term | undefined
  #pieces: PieceMap
  readonly #composition: Composition
  readonly #create: (() => Promise<void>) | undefined
  readonly #recordTurn = queue()
  readonly #attempts = new Set<PieceAttempt>()
  /** Cells that are being stored once more, by their beginnings. */
  readonly #covering = new Map<number, Promise<Piece>>()
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
    if ('kind' in opened) {
      this.#finished = opened
      this.#state = { record: opened.record }
      this.#pieces = new PieceMap([])
    } else {
      this.#term = opened.term
      this.#state = opened.state
      this.#pieces = new PieceMap(opened.pieces)
      this.#changedAt = opened.changedAt
      this.#create = opened.create
    }
    this.#folder = liveFolder(environment.prefix, this.#state.record.id)
    this.#composition = new Composition(environment, this.#composed(), this.#state.multipart)
  }

  get record(): UploadRecord {
    return this.#state.record
  }

  get received(): Ranges {
    const { discarded, record } = this.#state
    if (this.#removed) return []
    const isWhole = this.#finished !== undefined || discarded === true
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

  get moved(): boolean {
    return !this.#removed && (this.#isInDoubt || this.#term?.isOver === true) && !this.finished
  }

  stride(position: number): number {
    return this.#cellEnd(position, undefined) - position
  }

  async confirm(): Promise<void> {
    if (this.#removed) return
    if (this.#finished !== undefined) return this.#confirmFinished()
    await this.#sure(() => this.#ensureCreated())
    await onS3(async () => this.#term?.check())
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
        const isNew = error instanceof S3Error && error.outcome === 'absent' && missing !== from.key
        if (!isNew) throw storageError(error)
        missing = from.key
      }
    }
  }

  async seal(): Promise<undefined> {
    // Bytes that were refused never became pieces.
  }

  async finish(after?: Promise<void>): Promise<void> {
    if (this.#finished !== undefined) return
    this.#check()
    await onS3(async () => {
      await this.#ensureCreated()
      await this.#composition.complete()
    })
    await after
    await this.#recordTurn(() => this.#commit())
    await this.#composition.end()
    this.#pieces = new PieceMap([])
    this.#deleteLive().catch(() => undefined)
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
      const pieces = await this.#copyPieces(part, position)
      await this.#count(pieces)
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
    await this.#deletePieces()
  }

  async abandon(): Promise<void> {
    if (this.#state.record.failed === undefined || this.#removed) return
    await this.#composition.end()
    await this.#composition.abort()
    await this.#deletePieces()
  }

  async quarantine(): Promise<void> {
    // Nobody reads the pieces of a failed upload but the operator.
    if (!this.#environment.keepsRejected) await this.abandon()
  }

  async remove(why: Departure): Promise<void> {
    if (this.#removed) return
    // Nothing was ever written.
    if (this.#create !== undefined && this.#created === undefined) {
      this.#removed = true
      return
    }
    // Its id may come again, and must not be used twice: the empty upload is that of the next request.
    if (why === 'refused') return
    await this.#composition.end()
    await this.#recordTurn(() => this.#remove(why))
    await this.#composition.abort()
    const { prefix, port, keyOf } = this.#environment
    const { record } = this.#state
    await onS3(async () => {
      await port.remove([this.#finished?.key ?? keyOf(record), notesKey(prefix, record.id)])
      await this.#deleteLive()
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
  }

  /** The upload of which the attempts are. */
  #piecesOf(): PiecesOf {
    return {
      term: this.#term?.number ?? 0,
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
          await this.#environment.port.put(`${this.#folder}${piece.name}`, bytes)
        }),
      count: (pieces) => this.#sure(() => this.#count(pieces)),
      drop: (pieces) => this.#delete(pieces),
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
        return upload.#knownCellSize() ?? upload.#environment.cells.usual
      },
      has: (range) => covers(upload.received, range),
      pieceWith: async (range) => upload.#pieces.with(range) ?? upload.#cover(range),
      keyOf: (piece) => `${upload.#folder}${piece.name}`,
      noteMultipart: (multipart) =>
        upload.#recordTurn(async () => {
          if (!upload.#removed) await upload.#keep({ ...upload.#state, multipart })
        }),
    }
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
    const piece = this.#pieces.at(position)
    if (piece === undefined) throw new UploadError('storage_error', 'The stored bytes could not be read.')
    return { key: `${this.#folder}${piece.name}`, start: piece.start, end: piece.end }
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
    this.#created ??= this.#create()
    try {
      await this.#created
    } catch (error) {
      this.#created = undefined
      if (error instanceof UploadError && error.code === 'moved') this.#isInDoubt = true
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
      await this.#term?.check()
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
  }

  /** Replaces the state. @throws UploadError like `#sure`. */
  async #keep(state: LiveState): Promise<void> {
    await this.#sure(async () => {
      await this.#ensureCreated()
      this.#sequence += 1
      const key = `${this.#folder}${recordName(this.#term?.number ?? 0, this.#sequence)}`
      await this.#environment.port.put(key, formatLiveState(state))
      await this.#checkWritten()
      if (state.record.joined) await this.#environment.port.put(`${this.#folder}${JOINED}`, Buffer.alloc(0))
    })
    this.#check()
    this.#state = state
  }

  /** Stores the bytes of a cell as one piece. */
  #cover(range: Range): Promise<Piece> {
    const running = this.#covering.get(range.start)
    if (running !== undefined) return running
    const covering = this.#storeCover(range).finally(() => this.#covering.delete(range.start))
    this.#covering.set(range.start, covering)
    return covering
  }

  async #storeCover(range: Range): Promise<Piece> {
    const { budget, port } = this.#environment
    const size = lengthOf(range)
    await budget.take(size)
    try {
      const bytes = Buffer.allocUnsafeSlow(size)
      let filled = 0
      for await (const buffer of this.read(range)) filled += buffer.copy(bytes, filled)
      const facts = {
        term: this.#term?.number ?? 0,
        token: newToken(),
        index: 0,
        isLast: true,
        isCover: true,
        ...range,
      }
      const cover = { ...facts, name: pieceName(facts) }
      this.#check()
      await port.put(`${this.#folder}${cover.name}`, bytes)
      await this.#term?.check()
      this.#check()
      this.#pieces.add([cover])
      this.#delete(this.#pieces.takeCovered())
      return cover
    } finally {
      budget.give(size)
    }
  }

  /** Copies the pieces of a part to where they are in this upload. */
  async #copyPieces(part: S3Upload, position: number): Promise<Piece[]> {
    const { port, parallel } = this.#environment
    const sources = await part.#tiles()
    const token = newToken()
    const pieces = sources.map(({ start, end }, index) => {
      const isLast = index === sources.length - 1
      const facts = { term: this.#term?.number ?? 0, token, index, isLast, isCover: false }
      const range = { start: start + position, end: end + position }
      return { ...facts, ...range, name: pieceName({ ...facts, ...range }) }
    })
    const copies = pieces.map((piece, i) => ({
      from: `${part.#folder}${sources[i]?.name}`,
      to: `${this.#folder}${piece.name}`,
    }))
    const last = copies.pop()
    const left = copies.values()
    const copyNext = async (): Promise<void> => {
      for (const { from, to } of left) await port.copy(from, to)
    }
    await Promise.all(Array.from({ length: parallel }, copyNext))
    if (last !== undefined) await port.copy(last.from, last.to)
    return pieces
  }

  /** Pieces that have all bytes, each of them once. */
  async #tiles(): Promise<readonly Piece[]> {
    const tiles: Piece[] = []
    let end = 0
    for (let piece = this.#pieces.at(0); piece !== undefined; piece = this.#pieces.at(end)) {
      tiles.push(piece.start === end ? piece : await this.#cover({ start: end, end: piece.end }))
      end = piece.end
    }
    return tiles
  }

  /** The one commit of a file. */
  async #commit(): Promise<void> {
    if (this.#finished !== undefined || this.#removed) return
    const { prefix, port, keyOf } = this.#environment
    const { record } = this.#state
    const facts = { key: keyOf(record), size: record.length ?? 0, finishedAt: this.#now(), record, token: newToken() }
    const done: FinishedUpload = { kind: 'finished', ...facts }
    await this.#sure(async () => {
      try {
        await port.put(doneKey(prefix, record.id), formatDone(done), { ifAbsent: true })
        this.#finished = done
      } catch (error) {
        if (!(error instanceof S3Error) || error.outcome !== 'exists') throw error
        await this.#end(await this.#done())
      }
    })
  }

  /** Takes over the end of the upload as S3 has it. */
  async #end(done: Done | undefined): Promise<void> {
    if (done?.kind === 'finished') {
      this.#finished = done
    } else {
      this.#removed = true
      throw new UploadError('gone', 'This upload is gone.')
    }
  }

  async #done(): Promise<Done | undefined> {
    const { found } = await this.#environment.port.get(doneKey(this.#environment.prefix, this.record.id))
    return found === undefined ? undefined : parseDone(found.body)
  }

  async #confirmFinished(): Promise<void> {
    const done = await onS3(() => this.#done())
    if (done?.kind === 'finished') return
    this.#removed = true
    throw new UploadError('gone', 'This upload is gone.')
  }

  async #remove(why: Departure): Promise<void> {
    const { prefix, port, keyOf } = this.#environment
    const { record } = this.#state
    if (this.#finished === undefined) await this.#keep({ ...this.#state, leaving: { why } })
    const at = this.#now()
    const { finishedAt, key = keyOf(record) } = this.#finished ?? {}
    const { owner, createdAt } = record
    const failed = record.failed && eventOfFailure(record.failed)
    const facts = { owner, createdAt, failed, finishedAt }
    const gone = { kind: 'gone', why, at, key, derived: isDerived(record), ...facts } as const
    await this.#sure(async () => {
      await port.put(goneKey(prefix, record.id, at, gone.derived), Buffer.alloc(0))
      await port.put(doneKey(prefix, record.id), formatDone(gone))
    })
    this.#removed = true
  }

  async #deletePieces(): Promise<void> {
    await onS3(() => this.#environment.port.remove(this.#pieces.all.map(({ name }) => `${this.#folder}${name}`)))
  }

  /** Deletes what no longer counts, in the background; what stays is deleted after the end. */
  #delete(pieces: readonly Piece[]): void {
    if (pieces.length === 0) return
    this.#environment.port.remove(pieces.map(({ name }) => `${this.#folder}${name}`)).catch(() => undefined)
  }

  /** Deletes everything of the unfinished upload but its claims, which tell a stopped process that it is over. */
  async #deleteLive(): Promise<void> {
    const { port } = this.#environment
    for (let after: string | undefined; ; ) {
      const page = await port.list(this.#folder, { after })
      const keys = page.objects.map(({ key }) => key).filter((key) => !key.startsWith(`${this.#folder}c.`))
      if (keys.length > 0) await port.remove(keys)
      if (page.next === undefined) return
      after = page.next
    }
  }
}

/** Whether the id is computed from facts that may come again. */
export function isDerived({ id, webUploader, parts }: UploadRecord): boolean {
  return webUploader !== undefined || parts !== undefined || !/^[0-9a-f]{32}$/.test(id)
}

/** How the file is described in the bucket. */
export function optionsOf({ id, metadata }: UploadRecord): ObjectOptions {
  const headers = contentHeaders(metadata, false)
  return {
    contentType: headers['Content-Type'],
    contentDisposition: headers['Content-Disposition'],
    metadata: { 'landfall-id': id },
  }
}

export function newToken(): string {
  return randomBytes(8).toString('hex')
}
