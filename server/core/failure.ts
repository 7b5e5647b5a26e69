import { UploadError } from './errors.ts'
import type { FailureCode, UploadRecord } from './record.ts'
import type { StoredUpload } from './store.ts'

type Reason = NonNullable<UploadRecord['failed']>

/** Why an upload has failed: its record says it, and as long as the disk refuses that, it is known here. */
export class Failure {
  readonly #stored: StoredUpload
  #unwritten: Reason | undefined

  constructor(stored: StoredUpload) {
    this.#stored = stored
  }

  /** Whether there is something to write that is known only here. */
  get isUnwritten(): boolean {
    return this.#unwritten !== undefined
  }

  get reason(): Reason | undefined {
    return this.#stored.record.failed ?? this.#unwritten
  }

  /** Makes this the reason, unless there is one already. @returns the reason as an error. */
  async because(code: FailureCode, message: string): Promise<UploadError> {
    const reason = this.reason ?? { code, message }
    this.#unwritten = reason
    await this.write()
    return new UploadError(reason.code, reason.message)
  }

  /** Makes the record say it. A disk that refuses that is asked again the next time. */
  async write(): Promise<void> {
    const reason = this.#unwritten
    if (reason === undefined) return
    try {
      await this.#stored.update((record) => ({ ...record, failed: record.failed ?? reason }))
      this.#unwritten = undefined
    } catch {
      // The upload has failed all the same.
    }
  }
}

/** Whether trying again would not help, or would even call good what is not. */
export function isFinal(error: unknown): error is UploadError & { readonly code: FailureCode } {
  return error instanceof UploadError && (error.code === 'sync_failed' || error.code === 'digest_mismatch')
}
