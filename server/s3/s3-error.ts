/**
 * What is known of a call that failed. `absent`, `exists`, `refused`: it was not applied, and neither was an earlier try
 * of it. `unknown`: it may have been applied, or may still be.
 */
export type Outcome = 'absent' | 'exists' | 'refused' | 'unknown'

/** An error of S3. Its message is for the log: clients never see it. */
export class S3Error extends Error {
  override readonly name = 'S3Error'
  readonly outcome: Outcome
  /** The code of S3, such as `NoSuchKey`, if there was an answer. */
  readonly code: string | undefined

  constructor(outcome: Outcome, message: string, { code, cause }: { code?: string | undefined; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.outcome = outcome
    this.code = code
  }
}
