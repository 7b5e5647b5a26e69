import { Metadata as TusMetadata } from '@tus/utils'
import { checkDigests } from '../core/digest.ts'
import { UploadError } from '../core/errors.ts'
import type { Metadata, UploadRecord } from '../core/record.ts'

/** What Upload-Metadata says. */
export interface ParsedMetadata {
  readonly metadata: Metadata
  /** The header as it was sent, if the metadata do not give it back byte for byte. */
  readonly rawMetadata: string | undefined
}

/**
 * Reads Upload-Metadata (tus creation extension).
 *
 * @throws UploadError `bad_request` when it is not what the extension describes, or names a digest that is none.
 */
export function parseMetadata(header: string | undefined): ParsedMetadata {
  if (header === undefined || header.trim() === '') return { metadata: {}, rawMetadata: undefined }
  const metadata = decodeMetadata(header)
  checkDigests(metadata)
  return { metadata, rawMetadata: TusMetadata.stringify(metadata) === header ? undefined : header }
}

/** @throws UploadError `bad_request`. */
function decodeMetadata(header: string): Metadata {
  try {
    // A list may have spaces behind its commas (RFC 9110 §5.6.1), and has them where several lines were made one (§5.3).
    return TusMetadata.parse(header.replace(/, +/g, ','))
  } catch (error) {
    throw new UploadError('bad_request', 'Upload-Metadata must be keys with values in base64, separated by commas.', {
      cause: error,
    })
  }
}

/** Upload-Metadata as it was sent. */
export function formatMetadata({ rawMetadata, metadata }: Pick<UploadRecord, 'metadata' | 'rawMetadata'>): string {
  return rawMetadata ?? TusMetadata.stringify(metadata)
}

/**
 * How many bytes of what clients said of an upload they are told again in one answer: Node's client, for one, reads heads of 16 KiB, and
 * to learn nothing of the offset is worse than to miss what the client knows.
 */
const MOST_TOLD = 14 * 1024

/** Upload-Concat of a final upload as far as it is told again: without the parts where they are too many. */
export function toldConcat(concat: string): string {
  return concat.length > MOST_TOLD ? 'final;' : concat
}

/** What the answer to a HEAD says of how the upload was made: Upload-Concat, and Upload-Metadata if it is not too long. */
export function creationHeaders(record: UploadRecord): Readonly<Record<string, string>> {
  const concat = record.partial ? 'partial' : toldConcat(record.concat ?? '')
  const metadata = Object.keys(record.metadata).length > 0 ? formatMetadata(record) : ''
  const isTold = metadata !== '' && concat.length + metadata.length <= MOST_TOLD
  return { ...(concat !== '' && { 'Upload-Concat': concat }), ...(isTold && { 'Upload-Metadata': metadata }) }
}
