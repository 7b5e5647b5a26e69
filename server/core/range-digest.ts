import { type Algorithm, digestOf } from './digest.ts'
import { UploadError } from './errors.ts'
import { covers, lengthOf, type Range } from './ranges.ts'
import type { Upload } from './upload.ts'
import { checkUsable } from './upload-state.ts'

/**
 * Computes the digest of a range of received bytes, finished or not.
 *
 * @throws UploadError `range_not_satisfiable` if bytes of the range are missing; `gone`, or the error of a failed
 * upload; `storage_error`; the reason of `signal`.
 */
export async function rangeDigest(
  upload: Upload,
  algorithm: Algorithm,
  range: Range,
  signal: AbortSignal,
): Promise<Buffer> {
  checkUsable(upload)
  if (upload.record.joined) throw new UploadError('gone', 'The bytes of this part are in its final upload.')
  if (!covers(upload.received, range)) {
    throw new UploadError('range_not_satisfiable', `Bytes ${range.start} to ${range.end} have not all been received.`)
  }
  return digestOf(algorithm, upload.read(range), lengthOf(range), signal)
}
