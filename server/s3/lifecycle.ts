import { moved, UploadError } from '../core/errors.ts'
import { queue } from '../core/queue.ts'
import type { UploadRecord } from '../core/record.ts'
import type { Departure } from '../core/store.ts'
import { type Done, formatLiveState, formatNotes, type LiveState } from './documents.ts'
import { type FinishedUpload, goneError, putFinished, putGone, readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { notesKey } from './keys.ts'
import type { LiveFolder } from './live-folder.ts'
import { JOINED, recordName } from './names.ts'
import { S3Error } from './s3-error.ts'
import type { Answered } from './s3-port.ts'
import { onS3, storageError } from './storage-error.ts'
import { Term } from './term.ts'

/** The state of an unfinished upload when it is opened, and the term in which this process keeps it. */
export interface OpenedState {
  readonly state: LiveState
  readonly term: Term
  /** Writes the first record, if that has not happened yet. It may be called again. */
  readonly create?: () => Promise<Answered>
}

/**
 * The lifecycle of an upload: its first record, the records of one term, and its end. It knows whether this process
 * still has the upload, and nothing of its bytes.
 */
export class Lifecycle {
  /** That of a finished upload never begins. */
  readonly term: Term
  readonly #environment: Environment
  readonly #folder: LiveFolder
  readonly #create: (() => Promise<Answered>) | undefined
  readonly #turn = queue()
  #created: Promise<void> | undefined
  #state: LiveState
  #sequence = 0
  #finished: FinishedUpload | undefined
  #removed = false
  #isInDoubt = false

  constructor(environment: Environment, folder: LiveFolder, opened: OpenedState | FinishedUpload) {
    this.#environment = environment
    this.#folder = folder
    if ('kind' in opened) {
      this.#finished = opened
      this.#state = { record: opened.record }
      this.term = new Term(environment.port, '', 0, undefined)
    } else {
      this.#state = opened.state
      this.term = opened.term
      this.#create = opened.create
    }
  }

  get state(): LiveState {
    return this.#state
  }

  get finished(): FinishedUpload | undefined {
    return this.#finished
  }

  get removed(): boolean {
    return this.#removed
  }

  /** See `StoredUpload.moved`. */
  get moved(): boolean {
    return !this.#removed && (this.#isInDoubt || this.term.isOver) && this.#finished === undefined
  }

  /** Whether nothing of the upload was ever written. */
  get isUnwritten(): boolean {
    return this.#create !== undefined && this.#created === undefined && !this.#isInDoubt
  }

  /** @throws UploadError `moved`. */
  check(): void {
    if (this.moved) throw moved()
  }

  /** See `StoredUpload.confirm`. @throws UploadError `moved`, `gone`, `storage_error`. */
  async confirm(): Promise<void> {
    if (this.#removed) return
    if (this.#finished !== undefined) return this.#confirmFinished()
    await this.sure(() => this.ensureCreated())
    await onS3(async () => this.term.check())
  }

  /**
   * Called when bytes are missing: a removal, by this node or another one, deletes those of a reader that has not
   * begun.
   *
   * @throws UploadError `gone`, `storage_error`.
   */
  async checkEnd(): Promise<void> {
    if (this.#removed) throw goneError()
    if (this.#finished !== undefined) await this.#confirmFinished()
  }

  /**
   * Runs calls that write in this term. If it is unknown whether they were applied, what counts is not known any more,
   * before the upload is opened again.
   *
   * @throws UploadError `moved`, `no_space`, `storage_error`.
   */
  async sure<T>(work: () => Promise<T>): Promise<T> {
    this.check()
    try {
      return await work()
    } catch (error) {
      if (error instanceof S3Error && error.outcome === 'unknown') this.#isInDoubt = true
      throw storageError(error)
    }
  }

  /**
   * Writes the first record, if that has not happened.
   *
   * @throws UploadError `moved` if another one was first; S3Error.
   */
  async ensureCreated(): Promise<void> {
    if (this.#create === undefined) return
    this.#created ??= this.#create().then(({ date }) => this.term.begin(date))
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
  async checkWritten(): Promise<void> {
    try {
      await this.term.check()
    } catch (error) {
      this.#isInDoubt = true
      throw error
    }
    this.check()
  }

  /** See `StoredUpload.update`. @throws UploadError like `sure`. */
  async update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    await this.#turn(async () => {
      if (this.#removed) return
      const record = change(this.#state.record)
      if (record === this.#state.record) return
      if (this.#finished !== undefined) {
        const key = notesKey(this.#environment.prefix, record.id)
        await onS3(() => this.#environment.port.put(key, formatNotes(record)))
        this.#state = { ...this.#state, record }
      } else await this.#keep({ ...this.#state, record })
    })
  }

  /**
   * Replaces the state of an unfinished upload, in turn with `update`; an equal one is written again, too.
   *
   * @param change returns `undefined` to leave it.
   * @throws UploadError like `sure`.
   */
  async change(change: (state: LiveState) => LiveState | undefined): Promise<void> {
    await this.#turn(async () => {
      const state = this.#removed ? undefined : change(this.#state)
      if (state !== undefined) await this.#keep(state)
    })
  }

  /**
   * The one commit of the file, whose object is complete.
   *
   * @param at when it was finished, if another store has done that before.
   * @throws UploadError `gone`, and like `sure`.
   */
  async commit(at: Date | undefined): Promise<void> {
    await this.#turn(async () => {
      if (this.#finished !== undefined || this.#removed) return
      this.#end(await this.sure(() => putFinished(this.#environment, this.#state.record, at)))
    })
  }

  /**
   * Another node may have finished or removed the upload, and deleted its pieces.
   *
   * @throws `error` unless it has finished it; UploadError `gone`.
   */
  async adoptEnd(error: unknown): Promise<void> {
    const done = await readDone(this.#environment, this.#state.record.id).catch(() => undefined)
    if (done === undefined) throw error
    this.#end(done)
  }

  /** Makes the tombstone. Nothing else is deleted. @throws UploadError like `sure`. */
  async remove(why: Departure): Promise<void> {
    await this.#turn(async () => {
      if (this.#finished === undefined) await this.#keep({ ...this.#state, leaving: { why } })
      await this.sure(() => putGone(this.#environment, this.#state.record, why, this.#finished))
      this.#removed = true
    })
  }

  /** Ends an upload of which nothing was ever written. */
  forget(): void {
    this.#removed = true
  }

  /** @throws UploadError like `sure`. */
  async #keep(state: LiveState): Promise<void> {
    await this.sure(async () => {
      await this.ensureCreated()
      this.#sequence += 1
      await this.#folder.put(recordName(this.term.number, this.#sequence), formatLiveState(state))
      await this.checkWritten()
      if (state.record.joined) await this.#markJoined()
    })
    this.check()
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

  /** Takes over the end of the upload as S3 has it. @throws UploadError `gone`. */
  #end(done: Done): void {
    if (done.kind === 'finished') {
      this.#finished = done
    } else {
      this.#removed = true
      throw goneError()
    }
  }

  async #confirmFinished(): Promise<void> {
    const done = await onS3(() => readDone(this.#environment, this.#state.record.id))
    if (done?.kind === 'finished') return
    this.#removed = true
    throw goneError()
  }
}
