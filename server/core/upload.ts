import type { Claim, Claims } from './claims.ts'
import type { Algorithm } from './digest.ts'
import { UploadError } from './errors.ts'
import { FileDigests } from './file-digests.ts'
import { Finishing } from './finishing.ts'
import { PATIENCE, withPatience } from './patience.ts'
import { putChunk } from './put-chunk.ts'
import { type PutTarget, putStream } from './put-stream.ts'
import { covers, missing, overlap, prefix, type Range, type Ranges } from './ranges.ts'
import type { FailureCode, UploadRecord } from './record.ts'
import type { Source } from './source.ts'
import type { Count, Departure, StoredUpload } from './store.ts'

/**
 * `receiving`: bytes are missing. `sealed`: all are there, but the upload is a part of another one and never lands by
 * itself; other uploads go on to `finishing` at once, on their way to the final name.
 */
export type UploadState = 'receiving' | 'sealed' | 'finishing' | 'finished' | 'failed' | 'gone'

/** After how long without a byte the older copy of a chunk gives way to a newer one. Milliseconds. */
const STALE_AFTER = 5_000

interface Put {
  /** What it may write just now. */
  holding: Ranges
  readonly range: Range
  readonly source: Source
  readonly abort: AbortController
  readonly settled: Promise<void>
}

/** One upload while somebody works with it: who writes what, in which state it is, and its way to the finished file. */
export class Upload {
  readonly #stored: StoredUpload
  readonly #claims: Claims
  /** The most bytes that an upload of unknown length may take. */
  readonly #maxSize: number
  readonly #puts = new Set<Put>()
  #stream: Put | undefined
  readonly #finishing = new Finishing(
    () => this.state === 'finishing',
    () => this.#finish(),
  )
  readonly #digests: FileDigests
  #gone = false
  #lastChange: Date | undefined

  constructor(stored: StoredUpload, claims: Claims, maxSize: number) {
    this.#stored = stored
    this.#digests = new FileDigests(stored)
    this.#claims = claims
    this.#maxSize = maxSize
  }

  get record(): UploadRecord {
    return this.#stored.record
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
    if (this.#gone) return 'gone'
    const { length, failed, partial } = this.record
    if (failed !== undefined) return 'failed'
    if (this.#stored.finished) return 'finished'
    if (length === null || !covers(this.received, { start: 0, end: length })) return 'receiving'
    return partial ? 'sealed' : 'finishing'
  }

  /** Whether bytes are on their way, or the file is just being finished. */
  get busy(): boolean {
    return this.#puts.size > 0 || this.#finishing.isPending || this.#digests.busy
  }

  /** Received bytes, as `StoredUpload.read` gives them. */
  read(range: Range): AsyncIterable<Buffer> {
    return this.#stored.read(range)
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
      const older = this.#endStream()
      this.#stream = put
      await older
      put.abort.signal.throwIfAborted()
      this.#check()
      if (range.start !== this.offset) {
        throw new UploadError('offset_mismatch', `The upload goes on at byte ${this.offset}, not at ${range.start}.`, {
          details: { offset: this.offset },
        })
      }
      if (count === 'when-verified') await putChunk(this.#target(put), range, source)
      else await putStream(this.#target(put), range.start, source)
    })
  }

  /**
   * Says how long the file is.
   *
   * @throws UploadError `length_known` when another length was said before, `wrong_length` when more bytes are there.
   */
  async setLength(length: number): Promise<void> {
    if (this.record.length === length) return
    await this.#endStream()
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
    if (this.record.chunkSize === undefined) {
      await this.#stored.update((record) => ({ ...record, chunkSize: record.chunkSize ?? chunkSize }))
    }
    if (this.record.chunkSize === chunkSize) return
    const message = 'The chunks of this file were cut in two different sizes.'
    this.#check()
    // With every byte there no chunk can contradict the file any more: it stays, and only this request fails.
    if (this.state !== 'receiving') throw new UploadError('chunk_size_changed', message)
    await this.#fail('chunk_size_changed', message)
    this.#check()
  }

  /**
   * Waits until the upload is finished, if all its bytes are there.
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
    const settled = Promise.all([...this.#puts].map((put) => put.settled))
    await withPatience(settled, patience, 'Bytes of this file are still on their way.').catch(() => undefined)
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
    await this.#exclusively(() =>
      part.#exclusively(async () => {
        this.#check()
        if (this.offset === 0 && part.state === 'sealed') await this.#stored.takeOver(part.#stored)
      }),
    )
  }

  /** Gives up the bytes of a part whose final upload is finished; the part goes on to answer as complete. */
  async release(): Promise<void> {
    await this.#exclusively(async () => {
      if (!this.#gone) await this.#stored.release()
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

  /** Ends what is running and forgets the upload, finished or not. */
  async remove(why: Departure): Promise<void> {
    await this.end(new UploadError('gone', 'This upload was deleted.'))
    await this.#exclusively(() => this.#leave(why))
  }

  /**
   * Forgets the upload if it is unfinished, has got no byte since `deadline`, and nobody works with it.
   *
   * @returns whether it did.
   */
  async expire(deadline: Date): Promise<boolean> {
    const claim = this.#puts.size === 0 ? this.#claims.tryExclusive(this.record.id) : undefined
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

  /** Ends every running put with `reason` and waits until their last writes have returned. */
  async end(reason: Error): Promise<void> {
    await this.#digests.end(reason)
    const puts = [...this.#puts]
    for (const put of puts) put.abort.abort(reason)
    await Promise.all(puts.map((put) => put.settled))
  }

  /** Lets go of descriptors if nothing runs. */
  async rest(): Promise<void> {
    // What counts was written before; a descriptor that cannot be closed well takes nothing of it.
    if (this.#puts.size === 0 && !this.#finishing.isRunning) await this.#stored.rest().catch(() => undefined)
  }

  /** Lets go of everything that costs memory or descriptors. The upload must not be busy, but for a retry to come. */
  async close(): Promise<void> {
    await this.#finishing.settled()
    this.#finishing.cancelRetry()
    await this.#stored.close()
  }

  /** Takes finishing up again where a crash may have left it. */
  resume(): void {
    this.#finishing.start()
  }

  async #run(range: Range, source: Source, work: (put: Put) => Promise<void>): Promise<void> {
    this.#check()
    let settle = (): void => undefined
    const settled = new Promise<void>((resolve) => {
      settle = resolve
    })
    const put: Put = { holding: [], range, source, abort: new AbortController(), settled }
    put.abort.signal.addEventListener('abort', () => source.cancel(put.abort.signal.reason), { once: true })
    this.#puts.add(put)
    try {
      await work(put)
    } catch (error) {
      if (error instanceof UploadError && error.code === 'sync_failed') await this.#fail('sync_failed', error.message)
      throw error
    } finally {
      this.#puts.delete(put)
      if (this.#stream === put) this.#stream = undefined
      settle()
    }
  }

  /** Ends the stream that runs, if one does; its bytes are kept. */
  async #endStream(): Promise<void> {
    const older = this.#stream
    older?.abort.abort(new UploadError('superseded', 'A newer request goes on with this upload.'))
    await older?.settled
  }

  #target(put: Put): PutTarget {
    const { id } = this.record
    return {
      stored: this.#stored,
      claimMissing: () => {
        const want = (): Ranges => missing(this.received, put.range)
        const watch = this.#watchOlderCopies(put)
        return this.#patiently(put, (signal) => this.#claims.whole(id, want, signal)).finally(watch.stop)
      },
      claimWindow: (want) => this.#patiently(put, (signal) => this.#claims.leading(id, want, signal)),
      limit: () => this.record.length ?? this.#maxSize,
      check: () => this.#check(),
      written: (position, bytes) => this.#digests.pass(position, bytes),
      committed: () => {
        this.#lastChange = new Date()
        this.#finishing.start()
      },
    }
  }

  #check(): void {
    const { failed } = this.record
    if (failed !== undefined) throw new UploadError(failed.code, failed.message)
    if (this.#gone) throw new UploadError('gone', 'This upload is gone.')
  }

  /** Waits for a claim, for `PATIENCE` at most, and keeps account of what it lets the put write. */
  async #patiently(put: Put, ask: (signal: AbortSignal) => Promise<Claim>): Promise<Claim> {
    const patience = setTimeout(() => {
      put.abort.abort(new UploadError('busy', 'Others are still sending these bytes.'))
    }, PATIENCE)
    try {
      const claim = await ask(put.abort.signal)
      put.holding = claim.ranges
      const release = (): void => {
        put.holding = []
        claim.release()
      }
      return { ranges: claim.ranges, release }
    } finally {
      clearTimeout(patience)
    }
  }

  /** Ends copies of this chunk as soon as they have brought nothing for `STALE_AFTER`. */
  #watchOlderCopies(newer: Put): { stop(): void } {
    let timer: NodeJS.Timeout | undefined
    const look = (): void => {
      const now = performance.now()
      let next = STALE_AFTER
      for (const put of this.#puts) {
        if (put === newer || !put.holding.some((range) => overlap(range, newer.range))) continue
        const silence = now - (put.source.waitingSince ?? now)
        if (silence < STALE_AFTER) next = Math.min(next, STALE_AFTER - silence)
        else put.abort.abort(new UploadError('superseded', 'A newer copy of this chunk took over.'))
      }
      timer = setTimeout(look, next)
    }
    look()
    return { stop: () => clearTimeout(timer) }
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    const patience = new AbortController()
    const timer = setTimeout(() => {
      patience.abort(new UploadError('busy', 'Others are working with this upload.'))
    }, PATIENCE)
    try {
      const claim = await this.#claims.exclusive(this.record.id, patience.signal)
      try {
        await work()
      } finally {
        claim.release()
      }
    } finally {
      clearTimeout(timer)
    }
  }

  async #leave(why: Departure): Promise<void> {
    if (this.#gone) return
    this.#gone = true
    try {
      await this.#stored.remove(why)
    } catch (error) {
      this.#gone = false
      throw error
    }
    this.#finishing.cancelRetry()
  }

  async #fail(code: FailureCode, message: string): Promise<void> {
    await this.#stored.update((record) => ({ ...record, failed: record.failed ?? { code, message } }))
    const { failed } = this.record
    if (failed === undefined) return
    for (const put of this.#puts) put.abort.abort(new UploadError(failed.code, failed.message))
  }

  async #finish(): Promise<void> {
    try {
      await this.#exclusively(async () => {
        if (this.state !== 'finishing') return
        await this.#digests.verify()
        await this.#stored.finish()
      })
    } catch (error) {
      const final = error instanceof UploadError && (error.code === 'sync_failed' || error.code === 'digest_mismatch')
      if (final) await this.#fail(error.code, error.message).catch(() => undefined)
      throw error
    } finally {
      if (this.#puts.size === 0) await this.#stored.rest()
    }
  }
}
