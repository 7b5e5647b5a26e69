import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../core/errors.ts'

/**
 * Refuses coded bodies. Bodies are stored as they arrive, so downloads would return the coded bytes as the file.
 *
 * @throws UploadError `unsupported_coding` for any content coding, and any transfer coding except `chunked`.
 */
export function refuseCodings(headers: IncomingHttpHeaders): void {
  if (!isPlain(headers['content-encoding'], 'identity')) {
    throw new UploadError('unsupported_coding', 'Send the body without a Content-Encoding.')
  }
  if (!isPlain(headers['transfer-encoding'], 'chunked')) {
    throw new UploadError('unsupported_coding', 'The only supported Transfer-Encoding is chunked.')
  }
}

/** RFC 9110 §5.6.1: a list may have empty elements. §8.4.1: names of codings are case-insensitive. */
function isPlain(list: string | undefined, plain: string): boolean {
  if (list === undefined || list === plain) return true
  return list.split(',').every((coding) => ['', plain].includes(coding.trim().toLowerCase()))
}
