import type { Claim, Claims } from './claims.ts'
import { UploadError } from './errors.ts'
import { PATIENCE, withPatience } from './patience.ts'
import { overlap, type Range, type Ranges } from './ranges.ts'
import type { Source } from './source.ts'

/** After how long without a byte the older copy of a chunk gives way to a newer one. Milliseconds. */
const STALE_AFTER = 5_000

/** One request that brings bytes to an upload. */
export interface RunningPut {
  readonly range: Range
  readonly source: Source
  /** What it may write just now. */
  holding: Ranges
  /** Ends it. */
  readonly abort: AbortController
  readonly settled: Promise<void>
}

/** The puts of one upload that run: which of them gives way to which, what each may write, and how they are ended. */
export class Puts {
  readonly #id: string
  readonly #claims: Claims
  readonly #running = new Set<RunningPut>()
  #stream: RunningPut | undefined

  /** @param id of the upload. */
  constructor(id: string, claims: Claims) {
    this.#id = id
    this.#claims = claims
  }

  get areRunning(): boolean {
    return this.#running.size > 0
  }

  /** The running append, if there is one. */
  get stream(): RunningPut | undefined {
    return this.#stream
  }

  /** Does the work of a put. When it is ended, its source is cancelled. @throws what `work` throws. */
  async run(range: Range, source: Source, work: (put: RunningPut) => Promise<void>): Promise<void> {
    let settle = (): void => undefined
    const settled = new Promise<void>((resolve) => {
      settle = resolve
    })
    const abort = new AbortController()
    const put: RunningPut = { holding: [], range, source, abort, settled }
    abort.signal.addEventListener('abort', () => source.cancel(abort.signal.reason), { once: true })
    this.#running.add(put)
    try {
      await work(put)
    } finally {
      this.#running.delete(put)
      if (this.#stream === put) this.#stream = undefined
      settle()
    }
  }

  /** Makes `put` the one stream of the upload: an older one is ended at once, its bytes kept. @throws UploadError when `put` was ended meanwhile. */
  async becomeStream(put: RunningPut): Promise<void> {
    const older = this.endStream()
    this.#stream = put
    await older
    put.abort.signal.throwIfAborted()
  }

  /** Ends the stream that runs, if one does, and waits until its last write has returned; its bytes are kept. */
  async endStream(): Promise<void> {
    const older = this.#stream
    older?.abort.abort(new UploadError('superseded', 'A newer request goes on with this upload.'))
    await older?.settled
  }

  /** Ends every put with `reason`, without waiting. */
  abort(reason: Error): void {
    for (const put of this.#running) put.abort.abort(reason)
  }

  /** Waits until those that run now are over, whatever comes of them. */
  async settled(): Promise<void> {
    await Promise.all([...this.#running].map((put) => put.settled))
  }

  /** Waits until no bytes are on their way, but no longer than `patience` milliseconds. */
  async quiet(patience: number): Promise<void> {
    await withPatience(this.settled(), patience, 'Bytes of this file are still on their way.').catch(() => undefined)
  }

  /** Waits for all that `want` asks for. Older copies that have fallen silent give way. @throws UploadError `busy`, or why `put` was ended. */
  async claimWhole(put: RunningPut, want: () => Ranges): Promise<Claim> {
    const watch = this.#watchOlderCopies(put)
    return patiently(put, (signal) => this.#claims.whole(this.#id, want, signal)).finally(watch.stop)
  }

  /** Waits for the free beginning of what `want` asks for. @throws UploadError `busy`, or why `put` was ended. */
  claimLeading(put: RunningPut, want: () => Range | undefined): Promise<Claim> {
    return patiently(put, (signal) => this.#claims.leading(this.#id, want, signal))
  }

  /** Ends copies of this chunk as soon as they have brought nothing for `STALE_AFTER`. */
  #watchOlderCopies(newer: RunningPut): { stop(): void } {
    let timer: NodeJS.Timeout | undefined
    const look = (): void => {
      const now = performance.now()
      let next = STALE_AFTER
      for (const put of this.#running) {
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
}

/** Waits for a claim, for `PATIENCE` at most, and keeps account of what it lets the put write. */
async function patiently(put: RunningPut, ask: (signal: AbortSignal) => Promise<Claim>): Promise<Claim> {
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
