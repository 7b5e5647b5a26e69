import type { Metadata, UploadRecord } from '../core/record.ts'

/** What Upload-Metadata says. */
export interface ParsedMetadata {
  readonly metadata: Metadata
  /** The header as it was sent, if the metadata do not give it back byte for byte. */
  readonly rawMetadata: string | undefined
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * Reads Upload-Metadata (tus creation extension). What is malformed is skipped, and the last of several equal keys counts: clients
 * send such headers, and tusd accepts them. HEAD returns the header as it was sent in any case.
 */
export function parseMetadata(header: string | undefined): ParsedMetadata {
  if (header === undefined || header.trim() === '') return { metadata: {}, rawMetadata: undefined }
  // Unlike an assignment, this makes every key a plain property.
  const metadata = Object.fromEntries(header.split(',').flatMap(parseElement))
  return { metadata, rawMetadata: serialize(metadata) === header ? undefined : header }
}

/** One element as no pair or one, for `flatMap`. */
function parseElement(element: string): readonly (readonly [key: string, value: string | null])[] {
  const [key = '', value, ...more] = element.trim().split(/[ \t]+/)
  // JSON can hold a `__proto__`, but a record that is read again drops it: it comes back with the header only.
  if (key === '' || key === '__proto__' || more.length > 0) return []
  if (value === undefined) return [[key, null]]
  return isBase64(value) ? [[key, Buffer.from(value, 'base64').toString('utf8')]] : []
}

/** Padding may be missing or wrong; a single character in the last group holds no byte. */
function isBase64(text: string): boolean {
  return BASE64.test(text) && text.replace(/=+$/, '').length % 4 !== 1
}

/** Upload-Metadata for the answer to a HEAD; empty if there is none. */
export function formatMetadata({ rawMetadata, metadata }: Pick<UploadRecord, 'metadata' | 'rawMetadata'>): string {
  return rawMetadata ?? serialize(metadata)
}

function serialize(metadata: Metadata): string {
  return Object.entries(metadata)
    .map(([key, value]) => (value === null ? key : `${key} ${Buffer.from(value, 'utf8').toString('base64')}`))
    .join(',')
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
