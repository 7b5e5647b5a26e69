import type { UploadRecord } from '../core/record.ts'
import { formatMetadata } from '../protocol/upload-metadata.ts'

/**
 * Maximum bytes of the creation headers in a response. Node clients, for example, accept 16 KiB of headers, and missing
 * the metadata is better than missing the offset.
 */
const MAX_REPEATED_BYTES = 14 * 1024

/** Upload-Concat of a final upload for a response: without the parts if they are too many. */
export function concatHeader(concat: string): string {
  return concat.length > MAX_REPEATED_BYTES ? 'final;' : concat
}

/**
 * The headers of a HEAD response that repeat the creation: Upload-Concat, and Upload-Metadata if it is not too long.
 */
export function creationHeaders(record: UploadRecord): Readonly<Record<string, string>> {
  const concat = record.partial ? 'partial' : concatHeader(record.tus?.concat ?? '')
  const metadata = formatMetadata(record)
  const fits = metadata !== '' && concat.length + metadata.length <= MAX_REPEATED_BYTES
  return { ...(concat !== '' && { 'Upload-Concat': concat }), ...(fits && { 'Upload-Metadata': metadata }) }
}
