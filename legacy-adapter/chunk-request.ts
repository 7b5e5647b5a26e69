import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import type { Source } from '../server/core/source.ts'
import type { ChunkPlace } from './chunk-layout.ts'
import { collectFields, type Fields, oneValue, wholeNumber } from './fields.ts'
import { readMultipart } from './multipart.ts'

/** One chunk on its way in: what the page says of it, and its bytes. */
export interface ChunkRequest {
  readonly fields: Fields
  /** The name of the file part, which stands in for a missing field `name`: its text, and its bytes as they came. */
  readonly partName: { readonly text: string; readonly raw: Buffer } | undefined
  /** Fields that came after the file; complete at its end. */
  readonly trailingFields: () => Fields
  readonly file: Source
  /** How many bytes the chunk seems to have; `undefined` without a Content-Length. Never proof. */
  readonly hint: number | undefined
}

/**
 * Reads a request of WebUploader up to the first byte of its chunk: multipart, or the bare bytes with the fields in the query
 * (`sendAsBinary`), whose Content-Type is whatever the file has, or missing.
 *
 * @throws UploadError what `readMultipart` throws; `bad_request`, `too_many_fields`, `field_too_large`.
 */
export async function readChunkRequest(ctx: Context, body: Source): Promise<ChunkRequest> {
  const contentType = ctx.get('Content-Type')
  const length = ctx.request.length
  const query = new URLSearchParams(ctx.querystring)
  if (isForm(contentType, query)) {
    const { fields, file, hint, fileName } = await readMultipart(body, contentType, length)
    const partName = fileName === undefined ? undefined : { text: fileName, raw: Buffer.from(fileName) }
    return { fields, partName, trailingFields: () => file.trailingFields, file, hint }
  }
  return {
    fields: collectFields(query),
    partName: undefined,
    trailingFields: () => new Map(),
    file: body,
    hint: length,
  }
}

/** A web archive, too, has a multipart type, which `sendAsBinary` passes on. */
function isForm(contentType: string, query: URLSearchParams): boolean {
  if (!/^\s*multipart\//i.test(contentType)) return false
  return /^\s*multipart\/form-data\s*(;|$)/i.test(contentType) || !query.has('size')
}

/**
 * Which chunk of how many of a file of which size this is. Without `chunks` the file is in one piece, whatever `chunk` says: a
 * page may have left an old one in its form data.
 *
 * @throws UploadError `missing_field`, `bad_field`, `duplicate_field`.
 */
export function placeOf(fields: Fields, maxChunks: number): ChunkPlace {
  const size = wholeNumber(fields, 'size')
  if (size === undefined) throw missing('size')
  const chunks = wholeNumber(fields, 'chunks')
  if (chunks === undefined) return { size, chunks: 1, chunk: 0 }
  if (chunks < 1 || chunks > maxChunks) throw bad(`The field "chunks" must be from 1 to ${maxChunks}.`)
  if (chunks > Math.max(1, size)) throw bad('The field "chunks" is larger than the file has bytes.')
  const chunk = wholeNumber(fields, 'chunk')
  if (chunk === undefined) throw missing('chunk')
  if (chunk >= chunks) throw bad('The field "chunk" must be less than "chunks".')
  return { size, chunks, chunk }
}

/** What downloads and tus clients are told of the file. @throws UploadError `duplicate_field`. */
export function metadataOf({ fields, partName }: ChunkRequest): Record<string, string> {
  const metadata: Record<string, string> = {}
  for (const [key, name] of METADATA) {
    const value = oneValue(fields, name) ?? (name === 'name' ? partName?.text : undefined)
    if (value !== undefined) metadata[key] = value
  }
  return metadata
}

const METADATA = [
  ['filename', 'name'],
  ['filetype', 'type'],
  ['lastModifiedDate', 'lastModifiedDate'],
  ['task_id', 'task_id'],
] as const

function missing(name: string): UploadError {
  return new UploadError('missing_field', `The field "${name}" is missing.`)
}

function bad(message: string): UploadError {
  return new UploadError('bad_field', message)
}
