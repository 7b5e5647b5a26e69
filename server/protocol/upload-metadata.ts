import type { Metadata, UploadRecord } from '../core/record.ts'

/** A parsed Upload-Metadata header. */
export interface ParsedMetadata {
  readonly metadata: Metadata
  /** The header as it was sent, unless `metadata` serializes to the same bytes. */
  readonly rawMetadata: string | undefined
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * Parses Upload-Metadata (tus creation extension). Malformed elements are skipped, and the last of several equal keys
 * wins: clients send such headers, and tusd accepts them. HEAD returns the header as it was sent in any case.
 */
export function parseMetadata(header: string | undefined): ParsedMetadata {
  if (header === undefined || header.trim() === '') return { metadata: {}, rawMetadata: undefined }
  // Unlike an assignment, this makes every key an own property.
  const metadata = Object.fromEntries(header.split(',').flatMap(parseElement))
  return { metadata, rawMetadata: serialize(metadata) === header ? undefined : header }
}

/** Zero or one pair, for `flatMap`. */
function parseElement(element: string): readonly (readonly [key: string, value: string | null])[] {
  const [key = '', value, ...more] = element.trim().split(/[ \t]+/)
  // Reading a record back from JSON drops `__proto__`: HEAD returns it only with the original header.
  if (key === '' || key === '__proto__' || more.length > 0) return []
  if (value === undefined) return [[key, null]]
  return isBase64(value) ? [[key, Buffer.from(value, 'base64').toString('utf8')]] : []
}

/** Padding may be missing or wrong, but a last group of one character encodes no byte. */
function isBase64(text: string): boolean {
  return BASE64.test(text) && text.replace(/=+$/, '').length % 4 !== 1
}

/** Upload-Metadata for the response to a HEAD; empty if there is none. */
export function formatMetadata({ rawMetadata, metadata }: Pick<UploadRecord, 'metadata' | 'rawMetadata'>): string {
  return rawMetadata ?? serialize(metadata)
}

function serialize(metadata: Metadata): string {
  return Object.entries(metadata)
    .map(([key, value]) => (value === null ? key : `${key} ${Buffer.from(value, 'utf8').toString('base64')}`))
    .join(',')
}
