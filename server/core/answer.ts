import { UploadError } from './errors.ts'

/** What an application adds to the response to a client. */
export interface Answer {
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
  /** Any JSON, for clients that read JSON. */
  readonly result?: unknown
}

/** The refusal of an application. Its answer is the response, where the protocol permits. */
export class Refusal extends UploadError {
  readonly answer: Answer | undefined

  /** @param code `refused` before something is done; `rejected` for a file. */
  constructor(code: 'refused' | 'rejected', message: string, answer?: Answer) {
    super(code, message)
    this.answer = answer
  }
}

/** The error of a request while the application does not answer. @param cause for the log only. */
export function applicationUnavailable(cause: unknown): UploadError {
  const message = 'The application is not available at the moment; try again later.'
  return new UploadError('application_unavailable', message, { cause })
}

/** The error for a file about which the application has not decided. */
export function undecided(): UploadError {
  return new UploadError('application_unavailable', 'The file has arrived, but is not accepted yet; try again later.')
}

/** JSON for a header: characters outside ASCII are escaped. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
