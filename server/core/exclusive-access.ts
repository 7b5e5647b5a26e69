import type { Claim, Claims } from './claims.ts'
import { MAX_WAIT, waitAtMost } from './deadline.ts'
import type { Receiving } from './receiving.ts'
import type { StoredUpload } from './store.ts'

/** Exclusive access to one upload: while it is held, no request writes to it. */
export class ExclusiveAccess {
  readonly #stored: StoredUpload
  readonly #claims: Claims
  readonly #receiving: Receiving

  constructor(stored: StoredUpload, claims: Claims, receiving: Receiving) {
    this.#stored = stored
    this.#claims = claims
    this.#receiving = receiving
  }

  /** Runs `work` with exclusive access to the upload, once it is available. @throws UploadError `busy`. */
  async run(work: () => Promise<void>): Promise<void> {
    const abort = new AbortController()
    const pending = this.#claims.exclusive(this.#stored.record.id, abort.signal)
    const message = 'Another request is still working with this upload.'
    const claim = await waitAtMost(MAX_WAIT, pending, message, (reason) => abort.abort(reason))
    try {
      this.#receiving.checkOpen()
      await work()
    } finally {
      claim.release()
    }
  }

  /** Claims the upload without waiting: `undefined` if it is in use. */
  tryClaim(): Claim | undefined {
    return this.#receiving.isRunning ? undefined : this.#claims.tryExclusive(this.#stored.record.id)
  }

  /** Waits until exclusive work that has begun is over, for example a removal. */
  async quiet(): Promise<void> {
    const claim = await this.#claims.exclusive(this.#stored.record.id, new AbortController().signal)
    claim.release()
  }
}
