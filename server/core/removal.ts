import { undecided } from './answer.ts'
import { addAnswer } from './current-request.ts'
import { MAX_WAIT } from './deadline.ts'
import type { Decisions, UploadFacts } from './decisions.ts'
import { UploadError } from './errors.ts'
import type { ExclusiveAccess } from './exclusive-access.ts'
import type { Landing } from './landing.ts'
import type { Departure, StoredUpload } from './store.ts'
import { COMPLETE, type UploadState } from './upload-state.ts'

/** How an upload is removed. */
export interface RemovalOptions {
  /** A complete upload stays. */
  readonly onlyIncomplete?: boolean
  /** It is removed only while the application has not decided about its file. */
  readonly onlyUndecided?: boolean
  /** The error of the running requests. */
  readonly reason?: UploadError
}

/** What a removal needs of its upload. */
interface RemovableUpload {
  readonly state: UploadState
  readonly isUndecided: boolean
  readonly facts: UploadFacts
  settleOffset(scanWait: number): Promise<void>
  end(reason: Error): Promise<void>
}

/** Removes an upload: for a client, if it has expired, or if the application has not decided about it. */
export class Removal {
  readonly #upload: RemovableUpload
  readonly #stored: StoredUpload
  readonly #access: ExclusiveAccess
  readonly #landing: Landing
  readonly #decisions: Decisions

  constructor(
    upload: RemovableUpload,
    stored: StoredUpload,
    access: ExclusiveAccess,
    landing: Landing,
    decisions: Decisions,
  ) {
    this.#upload = upload
    this.#stored = stored
    this.#access = access
    this.#landing = landing
    this.#decisions = decisions
  }

  /**
   * Removes the upload for a client, if the application permits.
   *
   * @throws UploadError like `remove`, and the refusal of the application.
   */
  async terminate(options: { onlyIncomplete: boolean }): Promise<void> {
    this.#checkRemoval(options)
    if (this.#decisions.beforeDelete !== undefined) addAnswer(await this.#decisions.beforeDelete(this.#upload.facts))
    await this.remove('deleted', options)
  }

  /**
   * Ends all running requests and removes the upload, finished or not.
   *
   * @throws UploadError `already_complete`, `busy`, `no_space`, `storage_error`.
   */
  async remove(why: Departure, { reason = deleted(), ...condition }: RemovalOptions = {}): Promise<void> {
    const check = (): void => this.#checkRemoval(condition)
    check()
    // Queued before anything has ended: requests that begin meanwhile wait behind it, and cannot delay it.
    const removed = this.#access.run(async () => {
      await this.#upload.end(reason)
      check()
      await this.#remove(why)
    })
    await Promise.all([this.#upload.end(reason), removed])
  }

  /**
   * Removes the upload as expired, if it is unfinished, has received no byte since `deadline`, and is not in use.
   *
   * @returns whether it was removed.
   */
  async removeIfIdle(deadline: Date): Promise<boolean> {
    const claim = this.#access.tryClaim()
    if (claim === undefined) return false
    try {
      if (this.#stored.finished || this.#upload.state === 'gone' || COMPLETE.has(this.#upload.state)) return false
      if ((await this.#stored.lastChange()) >= deadline) return false
      await this.#remove('expired')
      return true
    } finally {
      claim.release()
    }
  }

  /**
   * Removes the upload if the application has not decided about its file. For a client that does not know the upload
   * yet: it will send the file again.
   *
   * @throws UploadError `application_unavailable` when it is removed, and what `remove` throws.
   */
  async withdrawUndecided(): Promise<void> {
    if (!this.#upload.isUndecided) return
    try {
      await this.remove('deleted', { onlyUndecided: true })
    } catch (error) {
      // The decision came after all.
      if (error instanceof UploadError && error.code === 'already_complete') return this.#upload.settleOffset(MAX_WAIT)
      throw error
    }
    throw undecided()
  }

  #checkRemoval({ onlyIncomplete = false, onlyUndecided = false }: RemovalOptions): void {
    if ((onlyIncomplete && COMPLETE.has(this.#upload.state)) || (onlyUndecided && !this.#upload.isUndecided)) {
      throw new UploadError('already_complete', 'This upload is complete; its file stays.')
    }
  }

  async #remove(why: Departure): Promise<void> {
    if (this.#stored.removed) return
    try {
      await this.#stored.remove(why)
    } finally {
      if (this.#stored.removed) this.#landing.cancelRetries()
    }
  }
}

function deleted(): UploadError {
  return new UploadError('gone', 'This upload was deleted.')
}
