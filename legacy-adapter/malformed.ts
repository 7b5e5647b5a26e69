import { UploadError } from '../server/core/errors.ts'

/** The error for a body that is not what RFC 7578 describes. */
export function malformed(sentence: string): UploadError {
  return new UploadError('malformed_body', sentence)
}

/** The error for a delimiter inside the header of a part. */
export function endsInHeader(): UploadError {
  return malformed('A part ends inside its header.')
}

/** The error for a body that ends too early. */
export function cutShort(): UploadError {
  return malformed('The body ends before its closing boundary.')
}
