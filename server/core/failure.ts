import { type ErrorCode, UploadError } from './errors.ts'
import type { FailureCode, UploadRecord } from './record.ts'
import type { StoredUpload } from './store.ts'

type Reason = NonNullable<UploadRecord['failed']>

/** Why an upload has failed. The reason is in the record, or, while that cannot be written, only in this object. */
export class Failure {
  readonly #stored: StoredUpload
  #unwritten: Reason | undefined

  constructor(stored: StoredUpload) {
    this.#stored = stored
  }

  /** Whether the record lacks the reason so far. */
  get isUnwritten(): boolean {
    return this.#unwritten !== undefined
  }

  get reason(): Reason | undefined {
    return this.#stored.record.failed ?? this.#unwritten
  }

  /** Sets the reason, unless there already is one. @returns the reason as an error. */
  async because(code: FailureCode, message: string): Promise<UploadError> {
    const reason = this.reason ?? { code, message }
    this.#unwritten = reason
    await this.write()
    return new UploadError(reason.code, reason.message)
  }

  /** Writes the reason into the record. If that fails, the next call tries again. */
  async write(): Promise<void> {
    const reason = this.#unwritten
    if (reason === undefined) return
    try {
      await this.#stored.update((record) => (record.failed ? record : { ...record, failed: reason }))
      this.#unwritten = undefined
    } catch {
      // The upload has failed nevertheless.
    }
  }
}

const FINAL: ReadonlySet<ErrorCode> = new Set(['sync_failed', 'digest_mismatch', 'rejected', 'type_not_allowed'])

/** Whether a retry would not help, or could even report lost bytes as stored. */
export function isFinal(error: unknown): error is UploadError & { readonly code: FailureCode } {
  return error instanceof UploadError && FINAL.has(error.code)
}
