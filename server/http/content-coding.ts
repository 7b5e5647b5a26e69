import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../core/errors.ts'

/**
 * Bodies are stored as they arrive: a coded body would be handed out as if it were the file.
 *
 * @throws UploadError `unsupported_coding` for any content coding, and any transfer coding but `chunked`.
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
