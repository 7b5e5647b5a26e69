import { S3ServiceException } from '@aws-sdk/client-s3'
import { type Outcome, S3Error } from './s3-error.ts'

/** These say of an object or an upload that it does not exist. A proxy also answers 404, but without them. */
const ABSENT: ReadonlySet<string> = new Set(['NoSuchKey', 'NoSuchUpload'])

/** Answers to requests that S3 has read in part, or may still work for. */
const OPEN_STATUSES: ReadonlySet<number> = new Set([408, 499])
const OPEN_CODES: ReadonlySet<string> = new Set(['RequestTimeout', 'RequestTimeoutException'])

/**
 * What is known of a failed call.
 *
 * @param what the call, for the log.
 * @param isHead whether a 404 has no body, and no code.
 */
export function toS3Error(error: unknown, what: string, isHead = false): S3Error {
  if (error instanceof S3Error) return error
  if (error instanceof S3ServiceException) {
    const status = error.$metadata.httpStatusCode ?? 0
    const code = codeOf(error)
    // The error itself repeats the headers of the request.
    const message = `${what}: S3 answered ${status}${code === undefined ? '' : ` ${code} (${error.message})`}.`
    return new S3Error(isHead && status === 404 ? 'absent' : outcomeOf(status, code), message, { code })
  }
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
  const status = statusOf(error)
  if (status !== undefined) return new S3Error('unknown', `${what}: answered ${status}, but not by an S3.`)
  // The request was not sent.
  const outcome = name === 'CredentialsProviderError' ? 'refused' : 'unknown'
  return new S3Error(outcome, `${what}: no answer of S3 (${message}).`, { cause: error })
}

/** The status of an answer that the SDK does not understand. */
function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$response' in error)) return undefined
  const { $response: response } = error
  if (typeof response !== 'object' || response === null || !('statusCode' in response)) return undefined
  return Number(response.statusCode)
}

/** The code in the body. The SDK calls an answer without one after its status. */
function codeOf(error: S3ServiceException): string | undefined {
  return 'Code' in error && typeof error.Code === 'string' && error.Code !== '' ? error.Code : undefined
}

function outcomeOf(status: number, code: string | undefined): Outcome {
  if (status === 412) return 'exists'
  if (status < 400 || status > 499 || code === undefined) return 'unknown'
  if (ABSENT.has(code)) return 'absent'
  return OPEN_STATUSES.has(status) || OPEN_CODES.has(code) ? 'unknown' : 'refused'
}
