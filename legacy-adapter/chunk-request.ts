import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import type { Source } from '../server/core/source.ts'
import type { ChunkPlace } from './chunk-layout.ts'
import { type Fields, modifiedOf, oneValue, wholeNumber } from './fields.ts'
import { cacheKeyOf, type FileRequest, identitiesOf } from './identity.ts'
import { type MultipartRequest, readMultipart } from './multipart.ts'
import type { LegacyOptions } from './options.ts'
import { queryFields } from './urlencoded.ts'

/** An incoming chunk, as its page sends it. */
interface SentChunk {
  /** If the page sends no `name`, this has the file name of the part. */
  readonly fields: Fields
  /** Whether the name in `fields` is the file name of the part. */
  readonly isPartName: boolean
  /** Fields after the file; complete once `file` has ended. */
  readonly trailingFields: () => Fields
  readonly file: Source
  /** Possible lengths of the chunk, likeliest first; empty without a Content-Length. Hints, never proof. */
  readonly lengths: readonly number[]
}

/** An incoming chunk: its place in which file of which sender, and its bytes. */
export interface ChunkRequest extends SentChunk, FileRequest {
  /** The size is that of the file to store; `facts` has the one that the page reports. */
  readonly place: ChunkPlace
  /** Equal for all chunks of a sender. */
  readonly key: string
  /** The modification time of the file if known, in milliseconds since 1970. */
  readonly modified: number | undefined
}

/**
 * Reads a WebUploader request up to the first byte of its chunk.
 *
 * @throws UploadError as `readMultipart`; `field_after_file` if required fields follow the file; `missing_field`,
 * `bad_field`, `duplicate_field`.
 */
export async function readChunkRequest(ctx: Context, body: Source, options: LegacyOptions): Promise<ChunkRequest> {
  const { maxChunks, rules, visitors } = options
  const sent = await readSentChunk(ctx, body, rules.names)
  const { fields, isPartName } = sent
  const place = placeOf(fields, maxChunks)
  const { size, chunks } = place
  const caller = visitors.callerOf(ctx)
  const file = { fields, name: oneValue(fields, 'name'), isPartName }
  return {
    ...sent,
    place: { ...place, size: storedSize(sent, place) },
    caller,
    identities: identitiesOf(file, caller, ctx.ip, rules),
    key: cacheKeyOf(file, caller.owner, ctx.ip, rules),
    facts: { size, chunks, date: oneValue(fields, 'lastModifiedDate') },
    modified: modifiedOf(fields),
  }
}

/**
 * The request is multipart, or the bare bytes with the fields in the query (`sendAsBinary`); then its Content-Type is
 * that of the file, or missing. A form that lacks required fields is read to its end.
 */
async function readSentChunk(ctx: Context, body: Source, identityFields: readonly string[]): Promise<SentChunk> {
  const contentType = ctx.get('Content-Type')
  const { length } = ctx.request
  const query = queryFields(ctx.querystring, identityFields)
  if (!isForm(contentType, query)) {
    const lengths = length === undefined ? [] : [length]
    return { fields: query, isPartName: false, trailingFields: () => new Map(), file: body, lengths }
  }
  const request = await readMultipart(body, contentType, length, identityFields)
  await refuseLateFields(request)
  const { file, lengths } = request
  const fields = withName(request)
  return { fields, isPartName: fields !== request.fields, trailingFields: () => file.trailingFields, file, lengths }
}

/** `sendAsBinary` passes on the type of the file, and that of a web archive is multipart, too. */
function isForm(contentType: string, query: Fields): boolean {
  if (!/^\s*multipart\//i.test(contentType)) return false
  return /^\s*multipart\/form-data\s*(;|$)/i.test(contentType) || !query.has('size')
}

/** Libraries and tools put the file first if their caller does; missing fields may follow at the very end. */
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

/**
 * Fields that identify the chunk must precede the file; other fields may follow it.
 *
 * @param identityFields as for `FieldList`.
 * @throws UploadError `field_after_file`.
 */
export function checkTrailingFields({ fields, trailingFields }: SentChunk, identityFields: readonly string[]): void {
  const trailing = trailingFields()
  for (const name of ['size', 'chunk', 'chunks', 'name', 'task_id', ...identityFields]) {
    const late = oneValue(trailing, name)
    if (late !== undefined && late !== oneValue(fields, name)) throw fieldAfterFile(name)
  }
}

function fieldAfterFile(name: string): UploadError {
  return new UploadError(
    'field_after_file',
    `The field "${name}" came after the file; send the fields before the file.`,
  )
}

/**
 * The number of the chunk, the number of chunks, and the size of the file. Without `chunks` the file is a single chunk,
 * whatever `chunk` says: the page may have left a stale one in its form data.
 *
 * @throws UploadError `missing_field`, `bad_field`, `duplicate_field`.
 */
function placeOf(fields: Fields, maxChunks: number): ChunkPlace {
  const size = wholeNumber(fields, 'size')
  if (size === undefined) throw missing('size')
  const chunks = wholeNumber(fields, 'chunks')
  if (chunks === undefined) return { size, chunks: 1, chunk: 0 }
  if (chunks < 1 || chunks > maxChunks) throw bad(`The field "chunks" must be from 1 to ${maxChunks}.`)
  if (chunks > Math.max(1, size)) throw bad('The field "chunks" exceeds the number of bytes in the file.')
  const chunk = wholeNumber(fields, 'chunk')
  if (chunk === undefined) throw missing('chunk')
  if (chunk >= chunks) throw bad('The field "chunk" must be less than "chunks".')
  return { size, chunks, chunk }
}

/**
 * The length of the file in bytes. A page that shrinks an image before upload may report the original size; such a file
 * is a single chunk, and as long as that chunk.
 */
function storedSize({ fields, lengths }: SentChunk, { size, chunks }: ChunkPlace): number {
  const isImage = oneValue(fields, 'type')?.startsWith('image/') === true
  const [likeliest = size] = lengths.includes(size) ? [] : lengths
  return isImage && chunks === 1 ? Math.min(likeliest, size) : size
}

function missing(name: string): UploadError {
  return new UploadError('missing_field', `The field "${name}" is missing.`)
}

function bad(message: string): UploadError {
  return new UploadError('bad_field', message)
}
