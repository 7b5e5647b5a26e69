import type { Context } from 'koa'
import type { Desk } from '../server/core/desk.ts'
import { UploadError } from '../server/core/errors.ts'
import { bytesIn } from '../server/core/reader.ts'
import type { Source } from '../server/core/source.ts'
import type { Upload } from '../server/core/upload.ts'
import type { Admit, FieldCredentials } from '../server/protocol/admit.ts'
import type { ChunkPlace, StoredChunk } from './chunk-layout.ts'
import { FieldList, type Fields, modifiedOf, oneOf, oneValue, type RequestFields, wholeNumber } from './fields.ts'
import { cacheKeyOf, type FileRequest, identitiesOf } from './identity.ts'
import { type MultipartRequest, readMultipart } from './multipart.ts'
import type { LegacyOptions } from './options.ts'
import { addUrlencoded } from './urlencoded.ts'

/** How much of the file of an unauthenticated request is searched for a token after the file. Bytes. */
const MOST_SEARCHED = 32 * 1024 * 1024

/** An incoming chunk, as its page sends it. */
interface SentChunk {
  /** If the page sends no `name`, this has the file name of the part. */
  readonly fields: Fields
  /** Whether the name in `fields` is the file name of the part. */
  readonly isPartName: boolean
  readonly file: Source
  /** Possible lengths of the chunk, likeliest first; empty without a Content-Length. Hints, never proof. */
  readonly lengths: readonly number[]
}

/** A chunk with what only its admission and its end need. */
interface WholeForm extends SentChunk, RequestFields {
  /** What follows the file; complete once `file` has ended. */
  readonly trailing: RequestFields
}

/** What a request of another library states, and one of WebUploader does not. */
export interface StatedFacts {
  /** Puts the bytes of the chunk where the request says. @throws UploadError like `putBytes`. */
  readonly put: (upload: Upload) => Promise<StoredChunk>
  /** The length of a new upload in bytes; `null` if only the last chunk reveals it. */
  readonly length: number | null
  /** Bytes; `undefined` if it is unknown, or the chunks are placed by offset. */
  readonly chunkSize?: number | undefined
  /** The length of the chunk in bytes, if it could be any range. */
  readonly longest?: number | undefined
  /** Further metadata of a new upload. */
  readonly metadata: Readonly<Record<string, string>>
  /** The client sends only what is missing: without an upload, it must begin again. */
  readonly resumes: boolean
}

/** An incoming chunk: its place in which file of which sender, and its bytes. */
export interface ChunkRequest extends SentChunk, FileRequest {
  /** The size is that of the file to store; `facts` has the one that the page reports. */
  readonly place: ChunkPlace
  /** Equal for all chunks of a sender. */
  readonly key: string
  /** The modification time of the file if known, in milliseconds since 1970. */
  readonly modified: number | undefined
  /**
   * Fields that identify the chunk must precede the file; other fields may follow it. Call this once `file` has ended.
   *
   * @throws UploadError `field_after_file`.
   */
  readonly checkTrailing: () => void
  readonly stated?: StatedFacts | undefined
}

/**
 * Reads a WebUploader request up to the first byte of its chunk, and admits it.
 *
 * @throws UploadError as `readMultipart` and `Admit`; `field_after_file` if required fields or the token follow the
 * file; `missing_field`, `bad_field`, `duplicate_field`.
 */
export async function readChunkRequest(
  ctx: Context,
  body: Source,
  admit: Admit,
  options: LegacyOptions,
): Promise<ChunkRequest> {
  const { maxChunks, rules, visitors } = options
  const form = await readSentChunk(ctx, body, options)
  const { fields, isPartName, lengths } = form
  const place = placeOf(fields, maxChunks)
  const { size, chunks } = place
  const length = storedSize(form, place)
  const name = oneValue(fields, 'name')
  const desk = await admitChunk(form, { length, name }, admit, options)
  const caller = visitors.callerOf(ctx, desk)
  const file = { fields, name, isPartName }
  return {
    fields,
    isPartName,
    file: form.file,
    lengths,
    place: { ...place, size: length },
    caller,
    identities: identitiesOf(file, caller, ctx.ip, rules),
    key: cacheKeyOf(file, caller.owner, ctx.ip, rules),
    facts: { size, chunks, date: oneValue(fields, 'lastModifiedDate') },
    modified: modifiedOf(fields),
    checkTrailing: () => checkTrailing(form, options),
  }
}

/**
 * The request is multipart, or the bare bytes with the fields in the query (`sendAsBinary`); then its Content-Type is
 * that of the file, or missing. A token may be in the query of either. A form that lacks required fields is read to its
 * end.
 */
async function readSentChunk(ctx: Context, body: Source, { rules, tokenField }: LegacyOptions): Promise<WholeForm> {
  const contentType = ctx.get('Content-Type')
  const { length } = ctx.request
  const listFor = (): FieldList => new FieldList(rules.names, tokenField)
  const list = listFor()
  addUrlencoded(list, ctx.querystring)
  const query = { fields: list.fields, tokens: list.tokens }
  if (!isMultipart(contentType, query.fields)) {
    const lengths = length === undefined ? [] : [length]
    return { ...query, isPartName: false, trailing: listFor(), file: body, lengths }
  }
  const request = await readMultipart(body, contentType, length, listFor)
  await refuseLateFields(request)
  const { file, lengths } = request
  const fields = withName(request)
  const tokens = [...query.tokens, ...request.tokens]
  return { fields, tokens, isPartName: fields !== request.fields, trailing: file.trailing, file, lengths }
}

/** `sendAsBinary` passes on the type of the file, and that of a web archive is multipart, too. */
function isMultipart(contentType: string, query: Fields): boolean {
  if (!/^\s*multipart\//i.test(contentType)) return false
  return /^\s*multipart\/form-data\s*(;|$)/i.test(contentType) || !query.has('size')
}

/** Libraries and tools put the file first if their caller does; missing fields may follow at the very end. */
async function refuseLateFields({ fields, file }: MultipartRequest): Promise<void> {
  const missing = ['size', ...(fields.has('chunks') ? ['chunk'] : [])].filter((name) => !fields.has(name))
  if (missing.length === 0) return
  while ((await file.read()) !== null);
  const late = missing.find((name) => file.trailing.fields.has(name))
  if (late !== undefined) throw fieldAfterFile(late)
}

function withName({ fields, fileName }: MultipartRequest): Fields {
  if (fields.has('name') || fileName === undefined || fileName === '') return fields
  return new Map(fields).set('name', [fileName])
}

/** Admits a chunk by the token in its fields. A token after the file is too late, and the error says so. */
async function admitChunk(
  form: WholeForm,
  upload: FieldCredentials['upload'],
  admit: Admit,
  { tokenField = '' }: LegacyOptions,
): Promise<Desk> {
  const token = oneOf(form.tokens, tokenField)
  try {
    return await admit({ token, upload })
  } catch (error) {
    const isMissing = token === undefined && error instanceof UploadError && error.code === 'unauthenticated'
    if (isMissing && (await hasLateToken(form))) throw fieldAfterFile(tokenField)
    throw error
  }
}

async function hasLateToken({ file, trailing }: WholeForm): Promise<boolean> {
  let left = MOST_SEARCHED
  for (let batch = await file.read(); batch !== null; batch = await file.read()) {
    left -= bytesIn(batch)
    if (left < 0) return false
  }
  return trailing.tokens.length > 0
}

function checkTrailing(form: WholeForm, { rules, tokenField = '' }: LegacyOptions): void {
  const { fields, tokens } = form.trailing
  for (const name of ['size', 'chunk', 'chunks', 'name', 'task_id', ...rules.names]) {
    const late = oneValue(fields, name)
    if (late !== undefined && late !== oneValue(form.fields, name)) throw fieldAfterFile(name)
  }
  if (tokens.some((late) => !form.tokens.includes(late))) throw fieldAfterFile(tokenField)
}

/** The error for a field that came too late. */
export function fieldAfterFile(name: string): UploadError {
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
export function placeOf(fields: Fields, maxChunks: number): ChunkPlace {
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
export function storedSize(
  { fields, lengths }: Pick<SentChunk, 'fields' | 'lengths'>,
  { size, chunks }: ChunkPlace,
): number {
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
