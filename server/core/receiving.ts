import { catchUp } from './catch-up.ts'
import type { Claims } from './claims.ts'
import { waitAtMost } from './deadline.ts'
import { UploadError } from './errors.ts'
import { type Failure, isFinal, reasonOf } from './failure.ts'
import { type Destination, Put } from './put.ts'
import { putChunk } from './put-chunk.ts'
import { putStream } from './put-stream.ts'
import { prefix, type Range } from './ranges.ts'
import type { FailureReason } from './record.ts'
import type { Source } from './source.ts'
import type { Count } from './store.ts'

interface Turn {
  isSuperseded: boolean
  readonly over: Promise<void>
}

/**
 * The requests that send bytes to an upload: decides which of them wins, how each ends, and where the next one
 * continues.
 *
 * Chunks arrive in any order, concurrently. There is one stream at a time: a newer one ends the older one at once, and
 * the bytes of the older one stay.
 */
export class Receiving {
  readonly #destination: Destination
  readonly #claims: Claims
  readonly #failure: Failure
  readonly #running = new Set<Put>()
  #stream: Put | undefined
  #turn: Turn | undefined
  /** The last offset reported to a client, until a request with bytes has ended. */
  #offered: number | undefined
  #closed: Error | undefined

  constructor(destination: Destination, claims: Claims, failure: Failure) {
    this.#destination = destination
    this.#claims = claims
    this.#failure = failure
  }

  get isRunning(): boolean {
    return this.#running.size > 0
  }

  /** How many requests bring bytes. */
  get running(): number {
    return this.#running.size
  }

  /**
   * Puts the bytes of `source` into `range`, anywhere in the file. They count as a whole or not at all.
   *
   * @returns how many of them were new.
   * @throws UploadError what `putChunk` throws.
   */
  async put(range: Range, source: Source): Promise<number> {
    return this.#run(range, source, (put) => putChunk(this.#destination, put))
  }

  /**
   * Appends the bytes of `source` at the offset, and ends an older append. `as-received`: each batch counts when it is
   * written. `when-verified`: all of them count when the source has proved itself whole, or none.
   *
   * @throws UploadError `offset_mismatch` when `range` does not begin at the offset, and all that `putStream` and
   * `putChunk` throw.
   */
  async append(range: Range, source: Source, count: Count): Promise<void> {
    await this.#run(range, source, async (put) => {
      const older = this.endStream()
      this.#stream = put
      await older
      put.signal.throwIfAborted()
      // The answer to another offset tells this one.
      if (!this.continuesAt(range.start)) await this.#destination.stored.confirm()
      this.expectOffset(range.start)
      if (count === 'when-verified') await putChunk(this.#destination, put)
      else await putStream(this.#destination, put)
    })
  }

  /**
   * The offset for a client that will resume there. The next append may start at it even if a request of a lost client
   * adds bytes meanwhile: overlapping bytes are compared, not written again.
   */
  offerOffset(): number {
    this.#offered = this.#offset
    return this.#offset
  }

  /** Waits briefly until the bytes that have arrived for a running append count. */
  async catchUp(): Promise<void> {
    const stream = this.#stream
    if (stream === undefined || this.#isFinalUpload) return
    await catchUp(stream.source, () => this.#stream === stream)
    // With 0, each batch counts at once.
    if (this.#destination.stored.stride(this.#offset) > 0) await stream.flushes.flushed()
  }

  /** Whether an append may begin at `offset`. */
  continuesAt(offset: number): boolean {
    if (offset === this.#offset) return true
    // The bytes of a part move to its final upload, so they can no longer be compared.
    return offset === this.#offered && offset < this.#offset && !this.#destination.stored.record.joined
  }

  /**
   * @throws UploadError `offset_mismatch` when no append may start at `offset`; `gone`, or the error of a failed
   * upload.
   */
  expectOffset(offset: number): void {
    this.#destination.check()
    if (this.continuesAt(offset)) return
    throw new UploadError('offset_mismatch', `The upload continues at byte ${this.#offset}, not at ${offset}.`, {
      details: { offset: this.#offset, provided: offset },
    })
  }

  /** Ends the request that appends, if there is one, and waits until the offset is settled. */
  async interrupt(): Promise<void> {
    const stream = this.#endRequest()
    await this.#endTurn()
    await stream
  }

  /**
   * Ends the previous append, even one that has not sent its first byte, or has sent its last; then runs the next one.
   *
   * @param work calls `check` before it changes anything.
   * @throws UploadError `superseded` if a newer request has arrived meanwhile, and what `work` throws.
   */
  async inTurn<T>(work: (check: () => void) => Promise<T>): Promise<T> {
    const stream = this.#endRequest()
    const before = this.#endTurn()
    let finish = (): void => undefined
    const over = new Promise<void>((resolve) => {
      finish = resolve
    })
    const turn: Turn = { isSuperseded: false, over }
    this.#turn = turn
    const check = (): void => {
      if (turn.isSuperseded) throw superseded()
    }
    try {
      await before
      check()
      await stream
      return await work(check)
    } finally {
      finish()
      if (this.#turn === turn) this.#turn = undefined
    }
  }

  /** Ends the running stream, if there is one, and waits until its last write has returned; its bytes stay. */
  async endStream(): Promise<void> {
    const stream = this.#stream
    stream?.end(superseded())
    await stream?.settled
  }

  /** Waits until no put is running, at most `ms` milliseconds. */
  async quiet(ms: number): Promise<void> {
    await waitAtMost(ms, this.settled(), 'Another request is still uploading.').catch(() => undefined)
  }

  /** Waits until the puts that are running now are over, successful or not. */
  async settled(): Promise<void> {
    await Promise.all([...this.#running].map((put) => put.settled))
  }

  /** Ends every put with `reason`, without waiting. */
  end(reason: Error): void {
    for (const put of this.#running) put.end(reason)
  }

  /** Ends every put, and refuses new ones. */
  close(reason: Error): void {
    this.#closed = reason
    this.end(reason)
  }

  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** @throws the reason for which it was closed. */
  checkOpen(): void {
    if (this.#closed !== undefined) throw this.#closed
  }

  /** Makes the upload fail, unless it is removed, and ends every put. */
  async fail(reason: FailureReason): Promise<void> {
    if (this.#destination.stored.removed) return
    this.end(await this.#failure.because(reason))
  }

  /** Runs `work`, and makes the upload fail if that throws a final error. @throws what `work` throws. */
  async orFail<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isFinal(error)) await this.fail(reasonOf(error))
      throw error
    }
  }

  get #offset(): number {
    return prefix(this.#destination.stored.received)
  }

  get #isFinalUpload(): boolean {
    return this.#destination.stored.record.parts !== undefined
  }

  async #run<T>(range: Range, source: Source, work: (put: Put) => Promise<T>): Promise<T> {
    this.checkOpen()
    this.#destination.check()
    const put = new Put(this.#destination.stored, this.#claims, this.#running, range, source)
    this.#running.add(put)
    try {
      // The upload fails before this put is over: the next one must not continue with what could not be synced.
      const result = await this.orFail(async () => {
        const worked = await work(put)
        await this.#destination.checked()
        return worked
      })
      this.#offered = undefined
      return result
    } finally {
      this.#running.delete(put)
      if (this.#stream === put) this.#stream = undefined
      put.settle()
    }
  }

  /** A final upload is filled internally; a client request must not supersede that. */
  async #endRequest(): Promise<void> {
    if (!this.#isFinalUpload) await this.endStream()
  }

  /** Supersedes the request whose turn it is, and waits until it is over. */
  async #endTurn(): Promise<void> {
    const turn = this.#turn
    if (turn === undefined) return
    turn.isSuperseded = true
    await turn.over
  }
}

function superseded(): UploadError {
  return new UploadError('superseded', 'A newer request continues this upload.')
}
