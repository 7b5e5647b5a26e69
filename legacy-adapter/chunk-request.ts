import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import type { Source } from '../server/core/source.ts'
import type { ChunkPlace } from './chunk-layout.ts'
import { type Fields, oneValue, wholeNumber } from './fields.ts'
import { type MultipartRequest, readMultipart } from './multipart.ts'
import { queryFields } from './urlencoded.ts'

/** One chunk on its way in: what the page says of it, and its bytes. */
export interface ChunkRequest {
  /** Where the page sends no `name`, the file name of the part stands in for it. */
  readonly fields: Fields
  readonly isPartName: boolean
  /** Fields that came after the file; complete at its end. */
  readonly trailingFields: () => Fields
  readonly file: Source
  /** How many bytes the chunk may have, the likeliest first; none without a Content-Length. Never proof. */
  readonly lengths: readonly number[]
}

/**
 * Reads a request of WebUploader up to the first byte of its chunk: multipart, or the bare bytes with the fields in the query
 * (`sendAsBinary`), whose Content-Type is whatever the file has, or missing. A form that lacks needed fields is read to its end.
 *
 * @param identityFields names of fields that are read besides the usual ones.
 * @throws UploadError what `readMultipart` throws; `field_after_file` for needed fields that follow the file.
 */
export async function readChunkRequest(
  ctx: Context,
  body: Source,
  identityFields: readonly string[],
): Promise<ChunkRequest> {
  const contentType = ctx.get('Content-Type')
  const { length } = ctx.request
  const query = queryFields(ctx.querystring, identityFields)
  if (isForm(contentType, query)) {
    const request = await readMultipart(body, contentType, length, identityFields)
    await refuseLateFields(request)
    const { file, lengths } = request
    const fields = withName(request)
    return { fields, isPartName: fields !== request.fields, trailingFields: () => file.trailingFields, file, lengths }
  }
  return {
    fields: query,
    isPartName: false,
    trailingFields: () => new Map(),
    file: body,
    lengths: length === undefined ? [] : [length],
  }
}

/** A web archive, too, has a multipart type, which `sendAsBinary` passes on. */
function isForm(contentType: string, query: Fields): boolean {
  if (!/^\s*multipart\//i.test(contentType)) return false
  return /^\s*multipart\/form-data\s*(;|$)/i.test(contentType) || !query.has('size')
}

/** Libraries and tools put the file first if their caller does; what is missing in front may follow at the very end. */
async function refuseLateFields({ fields, file }: MultipartRequest): Promise<void> {
  const missing = ['size', ...(fields.has('chunks') ? ['chunk'] : [])].filter((name) => !fields.has(name))
  if (missing.length === 0) return
  while ((await file.read()) !== null);
  const late = missing.find((name) => file.trailingFields.has(name))
  if (late !== undefined) throw fieldAfterFile(late)
}

function withName({ fields, fileName }: MultipartRequest): Fields {
  if (fields.has('name') || fileName === undefined || fileName === '') return fields
  return new Map(fields).set('name', [fileName])
}

/** The error for a field that should have come before the file. */
export function fieldAfterFile(name: string): UploadError {
  return new UploadError(
    'field_after_file',
    `The field "${name}" came after the file; send the fields before the file.`,
  )
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
export function metadataOf(fields: Fields): Record<string, string> {
  const metadata: Record<string, string> = {}
  for (const [key, name] of METADATA) {
    const value = oneValue(fields, name)
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
