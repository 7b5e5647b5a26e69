import { catchUp } from './catch-up.ts'
import type { Claims } from './claims.ts'
import { type Algorithm, digestOf } from './digest.ts'
import { UploadError } from './errors.ts'
import { exclusively } from './exclusively.ts'
import { Failure, isFinal } from './failure.ts'
import { FileDigests } from './file-digests.ts'
import { Finishing } from './finishing.ts'
import { PATIENCE } from './patience.ts'
import { putChunk } from './put-chunk.ts'
import { type PutTarget, putStream } from './put-stream.ts'
import { Puts, type RunningPut } from './puts.ts'
import { covers, lengthOf, missing, prefix, type Range, type Ranges } from './ranges.ts'
import type { FailureCode, UploadRecord, WebUploaderRecord } from './record.ts'
import type { Source } from './source.ts'
import type { Count, Departure, StoredUpload } from './store.ts'
import { Turns } from './turns.ts'

/**
 * `receiving`: bytes are missing, or the word that these are all. `sealed`: all are there, but the upload is a part of another one and never lands by
 * itself; other uploads go on to `finishing` at once, on their way to the final name.
 */
export type UploadState = 'receiving' | 'sealed' | 'finishing' | 'finished' | 'failed' | 'gone'

/** One upload while somebody works with it: who writes what, in which state it is, and its way to the finished file. */
export class Upload {
  readonly #stored: StoredUpload
  /** The record when the upload was created or opened. */
  readonly #opened: UploadRecord
  readonly #claims: Claims
  /** The most bytes that an upload of unknown length may take. */
  readonly #maxSize: number
  readonly #puts: Puts
  readonly #turns = new Turns()
  readonly #finishing = new Finishing(
    () => this.state === 'finishing',
    () => this.#finish(),
  )
  readonly #digests: FileDigests
  readonly #failure: Failure
  #lastChange: Date | undefined
  /** The last offset reported to a client, until a request with bytes has ended. */
  #offered: number | undefined
  #stopped: Error | undefined

  constructor(stored: StoredUpload, claims: Claims, maxSize: number) {
    this.#stored = stored
    this.#opened = stored.record
    this.#digests = new FileDigests(stored)
    this.#failure = new Failure(stored)
    this.#claims = claims
    this.#puts = new Puts(stored.record.id, claims)
    this.#maxSize = maxSize
  }

  get record(): UploadRecord {
    const { record } = this.#stored
    return this.#failure.isUnwritten ? { ...record, failed: this.#failure.reason } : record
  }

  get received(): Ranges {
    return this.#stored.received
  }

  /** What tus calls the offset: how many bytes from 0 on have been received. */
  get offset(): number {
    return prefix(this.received)
  }

  get finishedAt(): Date | undefined {
    return this.#stored.finishedAt
  }

  get state(): UploadState {
    if (this.#stored.removed) return 'gone'
    const { length, failed, partial } = this.record
    if (failed !== undefined) return 'failed'
    if (this.#stored.finished) return 'finished'
    if (this.#isEndAwaited || length === null || !covers(this.received, { start: 0, end: length })) return 'receiving'
    return partial ? 'sealed' : 'finishing'
  }

  /** Whether bytes are on their way, the file is just being finished, or there is something to note that is known only here. */
  get busy(): boolean {
    return this.#puts.areRunning || this.#finishing.isPending || this.#digests.busy || this.#failure.isUnwritten
  }

  /** Whether the upload has nothing but what its creation set. */
  get isBlank(): boolean {
    return this.state === 'receiving' && this.received.length === 0 && this.record === this.#opened
  }

  get #isEndAwaited(): boolean {
    return this.record.endAwaited === true
  }

  /** Received bytes, as `StoredUpload.read` gives them. */
  read(range: Range): AsyncIterable<Buffer> {
    return this.#stored.read(range)
  }

  /** When the last byte came, or the upload was made; `undefined` for one that time does not remove. */
  async idleSince(): Promise<Date | undefined> {
    const { final, parts } = this.record
    const stays = this.state !== 'receiving' && this.state !== 'sealed'
    // What belongs together expires together, later than any of it says.
    return stays || final !== undefined || parts !== undefined ? undefined : this.lastChange()
  }

  /** When the last byte came, or the upload was made. */
  async lastChange(): Promise<Date> {
    this.#lastChange ??= await this.#stored.lastChange()
    return this.#lastChange
  }

  /**
   * Puts a chunk anywhere into the file: the bytes of `source` into `range`. It counts as a whole or not at all.
   *
   * @throws UploadError what `putChunk` throws.
   */
  async put(range: Range, source: Source): Promise<void> {
    return this.#run(range, source, (put) => putChunk(this.#target(put), range, source))
  }

  /**
   * Goes on at the offset with the bytes of `source`, and ends an older request that does so at once. `as-received`: each
   * batch counts when it is written. `when-verified`: all of them count when the source has proved itself whole, or none.
   *
   * @throws UploadError `offset_mismatch` when `range` does not begin at the offset, and all that `putStream` and `putChunk`
   * throw.
   */
  async append(range: Range, source: Source, count: Count): Promise<void> {
    return this.#run(range, source, async (put) => {
      await this.#puts.becomeStream(put)
      this.expectOffset(range.start)
      if (count === 'when-verified') await putChunk(this.#target(put), range, source)
      else await putStream(this.#target(put), range.start, source)
    })
  }

  /**
   * The offset for a client that will resume there. The next append may start at it even if a request of a lost client
   * adds bytes meanwhile: overlapping bytes are compared, not written again.
   */
  offerOffset(): number {
    this.#offered = this.offset
    return this.offset
  }

  /** Waits briefly until the bytes that have arrived for a running append count. */
  async catchUp(): Promise<void> {
    const { stream } = this.#puts
    if (stream === undefined || this.record.parts !== undefined) return
    await catchUp(stream.source, () => this.#puts.stream === stream)
  }

  /** Whether an append may begin at `offset`. */
  continuesAt(offset: number): boolean {
    if (offset === this.offset) return true
    // The bytes of a part move to its final upload, so nothing can be compared with them any more.
    return offset === this.#offered && offset < this.offset && !this.record.joined
  }

  /**
   * @throws UploadError `offset_mismatch` when no append may start at `offset`; `gone`, or the error of a failed
   * upload.
   */
  expectOffset(offset: number): void {
    this.#check()
    if (this.continuesAt(offset)) return
    throw new UploadError('offset_mismatch', `The upload continues at byte ${this.offset}, not at ${offset}.`, {
      details: { offset: this.offset, provided: offset },
    })
  }

  /** Ends the request that goes on with the upload, if one does, and waits until the offset is settled. */
  async interrupt(): Promise<void> {
    const stream = this.#endRequest()
    await this.#turns.end()
    await stream
  }

  /**
   * Does the work of a request that goes on with the upload, after it has ended the one before.
   *
   * @param work asks, before it appends, whether it still may.
   * @throws UploadError `superseded` when a newer one has come meanwhile, and what `work` throws.
   */
  async inTurn<T>(work: (check: () => void) => Promise<T>): Promise<T> {
    const stream = this.#endRequest()
    return this.#turns.take(async (check) => {
      await stream
      return work(check)
    })
  }

  /**
   * Says that the upload ends with the byte before `end`; its length is known by that, if it was not before.
   *
   * @throws UploadError `wrong_length` when it has another length, or not these bytes.
   */
  async announceEnd(end: number): Promise<void> {
    if (this.record.length === end && !this.#isEndAwaited) return
    await this.#exclusively(async () => {
      this.#check()
      const { length } = this.record
      if ((length ?? end) !== end || this.offset !== end) {
        throw new UploadError('wrong_length', `The upload was ended at byte ${end}, which is not its end.`)
      }
      await this.#stored.update(({ endAwaited, ...record }) => ({ ...record, length: end }))
    })
    this.#finishing.start()
  }

  /**
   * Says how long the file is.
   *
   * @throws UploadError `length_known` when another length was said before, `wrong_length` when more bytes are there.
   */
  async setLength(length: number): Promise<void> {
    if (this.record.length === length) return
    await this.#puts.endStream()
    await this.#exclusively(async () => {
      this.#check()
      if (this.record.length === length) return
      if (this.record.length !== null) {
        throw new UploadError('length_known', `The length of this upload is ${this.record.length} bytes already.`)
      }
      if ((this.received.at(-1)?.end ?? 0) > length) {
        throw new UploadError('wrong_length', 'More bytes than this length have been received already.')
      }
      await this.#stored.update((record) => ({ ...record, length }))
    })
    this.#finishing.start()
  }

  /**
   * Makes `chunkSize`, which a verified chunk has told, the chunk size of this upload.
   *
   * @throws UploadError `chunk_size_changed` when it was another one before; the upload has failed then, unless all of its
   * bytes are there.
   */
  async agreeOnChunkSize(chunkSize: number): Promise<void> {
    if (this.record.webUploader?.chunkSize === undefined) {
      await this.#stored.update((record) => ({
        ...record,
        webUploader: { ...record.webUploader, chunkSize: record.webUploader?.chunkSize ?? chunkSize },
      }))
    }
    if (this.record.webUploader?.chunkSize === chunkSize) return
    const message = 'The chunks of this file were cut in two different sizes.'
    this.#check()
    // With every byte there no chunk can contradict the file any more: it stays, and only this request fails.
    if (this.state !== 'receiving') throw new UploadError('chunk_size_changed', message)
    await this.#fail('chunk_size_changed', message)
    this.#check()
  }

  /**
   * Waits until the upload is finished, if all its bytes are there. The request that brought the last one does, so that nobody takes
   * a file for finished that is not.
   *
   * @throws UploadError the reason if it failed; `busy` after `patience` milliseconds; `no_space` or `storage_error` when finishing did
   * not work yet. It is tried again in the background.
   */
  async settle(patience: number = PATIENCE): Promise<void> {
    if (this.state === 'finishing') {
      this.#finishing.start()
      await this.#finishing.outcome(patience)
    }
    this.#check()
  }

  /** Waits until no bytes are on their way, but no longer than `patience` milliseconds. */
  async quiet(patience: number): Promise<void> {
    await this.#puts.quiet(patience)
  }

  /**
   * Changes the WebUploader adapter's part of the record.
   *
   * @param hold whether the last missing byte no longer finishes the file, but only `announceEnd`.
   * @throws UploadError `no_space`, `storage_error`.
   */
  async updatePage(change: (record: UploadRecord) => WebUploaderRecord, hold = false): Promise<void> {
    await this.#stored.update((record) => {
      const endAwaited = hold && this.state === 'receiving' ? true : record.endAwaited
      return { ...record, endAwaited, webUploader: change(record) }
    })
  }

  /** Notes that this part belongs to a final upload. */
  async bind(final: string): Promise<void> {
    await this.#stored.update((record) => (record.final === final ? record : { ...record, final }))
  }

  /**
   * Makes the bytes of a sealed part the beginning of this upload, if it is empty yet.
   *
   * @throws UploadError `busy`, `sync_failed`, `no_space`, `storage_error`. It may be called again then.
   */
  async takeOver(part: Upload): Promise<void> {
    await this.#orFail(() =>
      this.#exclusively(() =>
        part.#exclusively(async () => {
          this.#check()
          if (this.offset === 0 && part.state === 'sealed') await this.#stored.takeOver(part.#stored)
        }),
      ),
    )
  }

  /** Gives up the bytes of a part whose final upload is finished; the part goes on to answer as complete. */
  async release(): Promise<void> {
    await this.#exclusively(async () => {
      if (!this.#stored.removed) await this.#stored.release()
    })
  }

  /** Ends the upload in `failed`, for a reason that comes from outside of it. */
  async giveUp(code: FailureCode, message: string): Promise<void> {
    await this.#fail(code, message)
  }

  /**
   * The digest of the finished file; it is computed once and kept.
   *
   * @throws UploadError `storage_error`.
   */
  digest(algorithm: Algorithm): Promise<Buffer> {
    return this.#digests.of(algorithm)
  }

  /**
   * Computes the digest of a range of received bytes, finished or not.
   *
   * @throws UploadError `range_not_satisfiable` when bytes of the range are missing; `gone`, or the error of a failed
   * upload; `storage_error`;
   * the reason of `signal`.
   */
  async rangeDigest(algorithm: Algorithm, range: Range, signal: AbortSignal): Promise<Buffer> {
    this.#check()
    if (this.record.joined) throw new UploadError('gone', 'The bytes of this part are in its final upload.')
    if (!covers(this.received, range)) {
      throw new UploadError('range_not_satisfiable', `Bytes ${range.start} to ${range.end} have not all been received.`)
    }
    return digestOf(algorithm, this.read(range), lengthOf(range), signal)
  }

  /**
   * Ends what is running and forgets the upload, unless all of it has come.
   *
   * @throws UploadError `already_complete`.
   */
  async cancel(): Promise<void> {
    this.#checkIncomplete()
    await this.#ending(new UploadError('gone', 'This upload was cancelled.'), async () => {
      this.#checkIncomplete()
      await this.#leave('deleted')
    })
  }

  /** Ends what is running and forgets the upload, finished or not. */
  async remove(why: Departure): Promise<void> {
    await this.#ending(new UploadError('gone', 'This upload was deleted.'), () => this.#leave(why))
  }

  /**
   * Forgets the upload if it is unfinished, has got no byte since `deadline`, and nobody works with it.
   *
   * @returns whether it did.
   */
  async expire(deadline: Date): Promise<boolean> {
    const claim = this.#puts.areRunning ? undefined : this.#claims.tryExclusive(this.record.id)
    if (claim === undefined) return false
    try {
      if (this.#stored.finished || this.state === 'finishing' || this.state === 'gone') return false
      if ((await this.#stored.lastChange()) >= deadline) return false
      await this.#leave('expired')
      return true
    } finally {
      claim.release()
    }
  }

  /** Ends every running put with `reason` and waits until their last writes have returned; digests of the file end, too. */
  async end(reason: Error): Promise<void> {
    this.#puts.abort(reason)
    await this.#puts.settled()
    await this.#digests.end(reason)
  }

  /** The same, and nothing begins any more that changes the upload: a request that is under way may come to that only later. */
  async stop(reason: Error): Promise<void> {
    this.#stopped = reason
    await this.end(reason)
  }

  /** Closes descriptors and frees the bytes of a failed upload, if nothing is running. */
  async rest(): Promise<void> {
    await this.#failure.write()
    if (this.#puts.areRunning || this.#finishing.isRunning) return
    const { failed, partial } = this.#stored.record
    // A final upload may still be reading a part.
    if (failed !== undefined && !partial) await this.#stored.abandon().catch(() => undefined)
    // What counts was written before; a descriptor that cannot be closed well takes nothing of it.
    await this.#stored.rest().catch(() => undefined)
  }

  /** Lets go of everything that costs memory or descriptors. The upload must not be busy, but for a retry to come. */
  async close(): Promise<void> {
    await this.#finishing.settled()
    this.#finishing.cancelRetry()
    await this.#failure.write()
    await this.#stored.close()
  }

  /** Takes finishing up again where a crash may have left it. */
  resume(): void {
    this.#finishing.start()
  }

  async #run(range: Range, source: Source, work: (put: RunningPut) => Promise<void>): Promise<void> {
    this.#checkRunning()
    this.#check()
    // It fails before this put is over: the next one must not go on with what could not be synced.
    await this.#puts.run(range, source, (put) => this.#orFail(() => work(put)))
    this.#offered = undefined
  }

  /** What brings the bytes of a final upload is no request: whoever asks for it must not keep it from its end. */
  async #endRequest(): Promise<void> {
    if (this.record.parts === undefined) await this.#puts.endStream()
  }

  #target(put: RunningPut): PutTarget {
    return {
      stored: this.#stored,
      claimMissing: () => this.#puts.claimWhole(put, () => missing(this.received, put.range)),
      claimWindow: (want) => this.#puts.claimLeading(put, want),
      limit: () => this.record.length ?? this.#maxSize,
      check: () => this.#check(),
      written: (position, bytes) => this.#digests.pass(position, bytes),
      committed: () => {
        this.#lastChange = new Date()
        this.#finishing.start()
      },
    }
  }

  #checkIncomplete(): void {
    if (this.state !== 'finishing' && this.state !== 'finished') return
    throw new UploadError('already_complete', 'This upload is complete: its file stays.')
  }

  #checkRunning(): void {
    if (this.#stopped !== undefined) throw this.#stopped
  }

  #check(): void {
    const { reason } = this.#failure
    if (reason !== undefined) throw new UploadError(reason.code, reason.message)
    if (this.#stored.removed) throw new UploadError('gone', 'This upload is gone.')
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    return exclusively(this.#claims, this.record.id, () => {
      this.#checkRunning()
      return work()
    })
  }

  /** Ends what is running with `reason` and does work alone. */
  async #ending(reason: Error, work: () => Promise<void>): Promise<void> {
    // Asked for before anything has ended: what begins meanwhile waits behind it, and cannot keep it waiting.
    const done = this.#exclusively(async () => {
      await this.end(reason)
      await work()
    })
    await Promise.all([this.end(reason), done])
  }

  async #leave(why: Departure): Promise<void> {
    if (this.#stored.removed) return
    try {
      await this.#stored.remove(why)
    } finally {
      if (this.#stored.removed) this.#finishing.cancelRetry()
    }
  }

  async #fail(code: FailureCode, message: string): Promise<void> {
    if (this.#stored.removed) return
    this.#puts.abort(await this.#failure.because(code, message))
  }

  /** Does work after which the upload has failed if it ends in an error that is final. */
  async #orFail(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (isFinal(error)) await this.#fail(error.code, error.message)
      throw error
    }
  }

  async #finish(): Promise<void> {
    try {
      await this.#orFail(() =>
        this.#exclusively(async () => {
          if (this.state !== 'finishing') return
          await this.#digests.verify()
          await this.#stored.finish()
        }),
      )
    } finally {
      if (!this.#puts.areRunning) await this.#stored.rest()
    }
  }
}
