import { Refusal } from './answer.ts'
import { type ErrorCode, UploadError } from './errors.ts'
import type { FailureCode, FailureReason } from './record.ts'
import type { StoredUpload } from './store.ts'

/** Why an upload has failed. The reason is in the record, or, while that cannot be written, only in this object. */
export class Failure {
  readonly #stored: StoredUpload
  #unwritten: FailureReason | undefined

  constructor(stored: StoredUpload) {
    this.#stored = stored
  }

  /** Whether the record lacks the reason so far. */
  get isUnwritten(): boolean {
    return this.#unwritten !== undefined
  }

  get reason(): FailureReason | undefined {
    return this.#stored.record.failed ?? this.#unwritten
  }

  /** Sets the reason, unless there already is one. @returns the reason as an error. */
  async because(reason: FailureReason): Promise<UploadError> {
    const first = this.reason ?? reason
    this.#unwritten = first
    await this.write()
    return failureError(first)
  }

  /** Writes the reason into the record. If that fails, the next call tries again. */
  async write(): Promise<void> {
    const reason = this.#unwritten
    if (reason === undefined) return
    try {
      await this.#stored.fail(reason)
      this.#unwritten = undefined
    } catch {
      // The upload has failed nevertheless.
    }
  }

  /** Removes the bytes of a failed upload: those that were rejected stay for the operator. */
  async clear(): Promise<void> {
    const { failed, partial } = this.#stored.record
    // A final upload may still be reading a part.
    if (failed === undefined || partial) return
    await (failed.code === 'rejected' ? this.#stored.quarantine() : this.#stored.abandon()).catch(() => undefined)
  }
}

const FINAL: ReadonlySet<ErrorCode> = new Set([
  'sync_failed',
  'digest_mismatch',
  'part_gone',
  'rejected',
  'type_not_allowed',
])

/** The error of a failed upload. */
export function failureError({ code, message, answer }: FailureReason): UploadError {
  return code === 'rejected' ? new Refusal(code, message, answer) : new UploadError(code, message)
}

/** The reason of a final error. */
export function reasonOf(error: UploadError & { readonly code: FailureCode }): FailureReason {
  const { code, message } = error
  return error instanceof Refusal && error.answer !== undefined
    ? { code, message, answer: error.answer }
    : { code, message }
}

/** Whether a retry would not help, or could even report lost bytes as stored. */
export function isFinal(error: unknown): error is UploadError & { readonly code: FailureCode } {
  return error instanceof UploadError && FINAL.has(error.code)
}
