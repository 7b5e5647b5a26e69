import type { Claim, Claims } from './claims.ts'
import { MAX_WAIT, waitAtMost } from './deadline.ts'
import { UploadError } from './errors.ts'
import { FlushRequests } from './flush-requests.ts'
import { missing, overlap, type Range, type Ranges } from './ranges.ts'
import type { Source } from './source.ts'
import type { StoredUpload } from './store.ts'

/** How long an older copy of a chunk may receive nothing before a newer one replaces it. Milliseconds. */
const STALE_AFTER = 5_000

/** The upload that puts write to. */
export interface Destination {
  readonly stored: StoredUpload
  /** Throws if the upload has failed or is removed. Checked after every wait. */
  check(): void
  /** Called with the bytes of a stream once they are written, in order; they are valid until it returns. */
  passed(position: number, bytes: readonly Buffer[]): void
  /** Called when bytes that have passed may not count. */
  lost(): void
  /** Called after each commit. */
  committed(): void
  /** Waits for the checks that committed bytes have started. @throws UploadError `type_not_allowed`, `storage_error`. */
  checked(): Promise<void>
}

/** The bytes of one request on their way into an upload. */
export class Put {
  readonly range: Range
  readonly source: Source
  /** Settles when the put is over and its last write has returned. */
  readonly settled: Promise<void>
  /** Who waits until the bytes of this stream count. */
  readonly flushes = new FlushRequests()
  readonly #upload: StoredUpload
  readonly #claims: Claims
  readonly #running: ReadonlySet<Put>
  readonly #abort = new AbortController()
  #settle: () => void = () => undefined
  readonly #claimed = new Set<Ranges>()

  /**
   * @param range where the bytes of `source` go; the end may be an upper bound.
   * @param running the puts of the same upload, among them older copies of this one.
   */
  constructor(upload: StoredUpload, claims: Claims, running: ReadonlySet<Put>, range: Range, source: Source) {
    this.#upload = upload
    this.#claims = claims
    this.#running = running
    this.range = range
    this.source = source
    this.settled = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.signal.addEventListener('abort', () => source.cancel(this.signal.reason), { once: true })
  }

  /** Aborted when the put is ended: its source is cancelled, and claims that it waits for reject. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Ends the put without waiting; bytes that count already stay. */
  end(reason: Error): void {
    this.#abort.abort(reason)
  }

  /** Marks the put as over. */
  settle(): void {
    this.flushes.end()
    this.#settle()
  }

  /**
   * Claims all missing bytes of the range at once. Meanwhile, older copies that receive no bytes are ended.
   *
   * @throws UploadError `busy`, or the reason for which the put was ended.
   */
  async claimWhole(): Promise<Claim> {
    const watch = this.#watchOlderCopies()
    try {
      const want = (): Ranges => missing(this.#upload.received, this.range)
      return await this.#hold(this.#claims.whole(this.#upload.record.id, want, this.signal))
    } finally {
      watch.stop()
    }
  }

  /**
   * Claims the free beginning of what `want` returns.
   *
   * @throws UploadError `busy`, or the reason for which the put was ended.
   */
  claimLeading(want: () => Range | undefined): Promise<Claim> {
    return this.#hold(this.#claims.leading(this.#upload.record.id, want, this.signal))
  }

  async #hold(pending: Promise<Claim>): Promise<Claim> {
    const message = 'Another request is still uploading this range.'
    const claim = await waitAtMost(MAX_WAIT, pending, message, (reason) => this.end(reason))
    this.#claimed.add(claim.ranges)
    const release = (): void => {
      this.#claimed.delete(claim.ranges)
      claim.release()
    }
    return { ranges: claim.ranges, release }
  }

  #holds(range: Range): boolean {
    return [...this.#claimed].some((ranges) => ranges.some((claimed) => overlap(claimed, range)))
  }

  /** Ends older copies of this chunk once they have received nothing for `STALE_AFTER`. */
  #watchOlderCopies(): { stop(): void } {
    let timer: NodeJS.Timeout | undefined
    const look = (): void => {
      const now = performance.now()
      let next = STALE_AFTER
      for (const put of this.#running) {
        if (put === this || !put.#holds(this.range)) continue
        const silence = now - (put.source.waitingSince ?? now)
        if (silence < STALE_AFTER) next = Math.min(next, STALE_AFTER - silence)
        else put.end(new UploadError('superseded', 'A newer copy of this chunk replaced this one.'))
      }
      timer = setTimeout(look, next)
    }
    look()
    return { stop: () => clearTimeout(timer) }
  }
}
