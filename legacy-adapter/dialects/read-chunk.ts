import type { Context } from 'koa'
import type { Desk } from '../../server/core/desk.ts'
import { UploadError } from '../../server/core/errors.ts'
import { lengthOf } from '../../server/core/ranges.ts'
import type { Source } from '../../server/core/source.ts'
import type { Upload } from '../../server/core/upload.ts'
import type { Admit } from '../../server/protocol/admit.ts'
import type { StoredChunk } from '../chunk-layout.ts'
import { type ChunkRequest, fieldAfterFile, placeOf, storedSize } from '../chunk-request.ts'
import { FieldList, type Fields, modifiedOf, oneOf, type RequestFields } from '../fields.ts'
import { cacheKeyOf, identitiesOf } from '../identity.ts'
import { readMultipart } from '../multipart.ts'
import { addUrlencoded } from '../urlencoded.ts'
import { identityField, type OpenDialect } from './open-dialect.ts'
import { RequestValues } from './request-values.ts'
import { RewindableSource } from './rewindable.ts'
import { type Dialect, hasOpenEnd } from './schema.ts'
import { type HeldFile, LONGEST_HELD, tooLong } from './scratch.ts'
import { putExactly, putOpenEnded, putSequential, type SentFile } from './sent-file.ts'
import { type OpenEndedPlace, openEndedPlace, type StatedPlace, statedPlace } from './stated-place.ts'

/** A whole file, which no other request continues. */
export interface WholeFile {
  readonly desk: Desk
  readonly sent: SentFile
  readonly metadata: Readonly<Record<string, string>>
}

/** What a request needs whose fields may follow its file. */
export interface Holding {
  /** Admits the request before its file is held. */
  readonly admit: Admit
  /** Receives the held file, to close it when the request has ended. */
  readonly held: (file: HeldFile) => void
}

/**
 * Reads a request of a page up to its file; or to its end, if fields may follow the file, which is held on disk then.
 *
 * @throws UploadError like `readMultipart`; `unsupported_type`; `too_large` if the file is too long to be held, and what
 * `Admit` throws before that.
 */
export async function readSent(
  ctx: Context,
  body: Source,
  pattern: string,
  open: OpenDialect,
  holding?: Holding,
): Promise<SentFile> {
  const { tokenField } = open.tools.options
  const listFor = (): FieldList => new FieldList(open.read, tokenField)
  const query = queryOf(ctx, open)
  const contentType = ctx.get('Content-Type')
  const isForm = /^\s*multipart\/form-data\s*(;|$)/i.test(contentType)
  const { length } = ctx.request
  const wanted = open.dialect.chunk.body
  if (wanted !== 'any' && isForm !== (wanted === 'multipart')) {
    throw new UploadError(
      'unsupported_type',
      `This dialect needs ${isForm ? 'the bare bytes' : 'multipart/form-data'}.`,
    )
  }
  if (!isForm) {
    return {
      values: new RequestValues(ctx, pattern, open.tasks, query.fields),
      tokens: query.tokens,
      file: body,
      lengths: length === undefined ? [] : [length],
      checkTrailing: () => undefined,
    }
  }
  const { fields, tokens, file, lengths, ...part } = await readMultipart(body, contentType, length, listFor)
  if (holding !== undefined) {
    if (lengths.length === 0 || Math.min(...lengths) > LONGEST_HELD) throw tooLong()
    const credentials = { token: oneOf([...query.tokens, ...tokens], tokenField ?? '') }
    const desk = await holding.admit({ ...credentials, upload: { length: null, name: undefined } })
    const whole = await open.scratch.hold(file)
    holding.held(whole)
    const { trailing } = file
    if (trailing.tokens.some((late) => !tokens.includes(late))) throw fieldAfterFile(tokenField ?? '')
    const all = new Map(fields)
    for (const [name, values] of trailing.fields) all.set(name, [...(all.get(name) ?? []), ...values])
    return {
      values: new RequestValues(ctx, pattern, open.tasks, query.fields, all, part),
      tokens: [],
      desk,
      file: whole,
      lengths: [whole.length],
      checkTrailing: () => undefined,
    }
  }
  return {
    values: new RequestValues(ctx, pattern, open.tasks, query.fields, fields, part),
    tokens: [...query.tokens, ...tokens],
    file,
    lengths,
    checkTrailing: () => checkTrailing(open, fields, tokens, file.trailing),
  }
}

/** The fields of the query. @throws UploadError `too_many_fields`, `field_too_large`. */
export function queryOf(ctx: Context, { read, tools }: OpenDialect): RequestFields {
  const list = new FieldList(read, tools.options.tokenField)
  addUrlencoded(list, ctx.querystring)
  return { fields: list.fields, tokens: list.tokens }
}

function checkTrailing(
  { read, tools }: OpenDialect,
  fields: Fields,
  tokens: readonly string[],
  trailing: RequestFields,
): void {
  for (const name of read) {
    const late = trailing.fields.get(name)?.[0]
    if (late !== undefined && late !== fields.get(name)?.[0]) throw fieldAfterFile(name)
  }
  if (trailing.tokens.some((late) => !tokens.includes(late))) throw fieldAfterFile(tools.options.tokenField ?? '')
}

/**
 * Reads a chunk, or a whole file, and admits it.
 *
 * @throws UploadError like `readSent`, `statedPlace`, and `Admit`.
 */
export async function readChunk(
  ctx: Context,
  body: Source,
  pattern: string,
  admit: Admit,
  open: OpenDialect,
  held: Holding['held'],
): Promise<ChunkRequest | WholeFile> {
  const { dialect, tools } = open
  const { maxChunks } = tools.options
  const sent = await readSent(ctx, body, pattern, open, dialect.chunk.file === 'first' ? { admit, held } : undefined)
  const { values } = sent
  const token = oneOf(sent.tokens, tools.options.tokenField ?? '')
  const { place, fields } = dialect
  const name = values.get(fields.name)
  const admitted = async (length: number | null): Promise<Desk> =>
    sent.desk ?? admit({ token, upload: { length, name } })
  const sizeKnown = values.get(fields.size) !== undefined
  if (hasOpenEnd(dialect) && place?.by === 'index') {
    const spot = openEndedPlace(place, values, maxChunks)
    if (spot !== undefined) return openEndedRequest(ctx, open, sent, await admitted(null), spot)
  } else if (place?.by === 'index' && (place.chunkSize === undefined || (place.sequential && !sizeKnown))) {
    const index = values.whole(place.index)
    const count = values.whole(place.count)
    if (sizeKnown) {
      const canonical = canonicalFields(dialect, values, {
        chunks: count,
        chunk: index === undefined ? undefined : index - place.base,
      })
      const asSent = placeOf(canonical, maxChunks)
      const size = storedSize({ fields: canonical, lengths: sent.lengths }, asSent)
      const desk = await admitted(size)
      const chunk = requestOf(ctx, open, sent, desk, canonical)
      return { ...chunk, place: { ...asSent, size }, facts: { ...chunk.facts, size: asSent.size } }
    }
    if (place.sequential && count !== undefined && index !== undefined) {
      const chunk = index - place.base
      if (count < 1 || count > maxChunks || chunk < 0 || chunk >= count) {
        throw new UploadError('bad_field', `The chunk must be one of at least 1 and at most ${maxChunks} chunks.`)
      }
      const desk = await admitted(null)
      const canonical = canonicalFields(dialect, values, { chunks: count, chunk })
      const request = requestOf(ctx, open, sent, desk, canonical)
      const spot = { size: 0, chunks: count, chunk }
      const begun = rewindable(dialect, sent, chunk)
      const put = (upload: Upload): Promise<StoredChunk> => putSequential(upload, spot, begun(upload), desk)
      return {
        ...request,
        file: begun().file,
        place: spot,
        stated: { ...statedOf(dialect, values), put, length: null },
      }
    }
  } else {
    const stated = place === undefined ? undefined : statedPlace(place, fields.size, values, maxChunks)
    if (stated !== undefined) {
      const desk = await admitted(stated.size)
      return exactRequest(ctx, open, sent, desk, stated)
    }
    if (place !== undefined && sizeKnown && values.task() !== undefined) {
      const size = values.whole(fields.size) ?? 0
      const whole = { size, range: { start: 0, end: size }, chunk: 0, chunks: 1, chunkSize: undefined }
      return exactRequest(ctx, open, sent, await admitted(size), whole)
    }
  }
  if (!dialect.whole) throw new UploadError('missing_field', 'The request does not say where its chunk is.')
  const desk = await admitted(null)
  return { desk, sent, metadata: metadataOf(dialect, values) }
}

function openEndedRequest(
  ctx: Context,
  open: OpenDialect,
  sent: SentFile,
  desk: Desk,
  spot: OpenEndedPlace,
): ChunkRequest {
  const { dialect } = open
  const { chunk, chunkSize, count } = spot
  const begun = rewindable(dialect, sent, chunk)
  const put = (upload: Upload): Promise<StoredChunk> => putOpenEnded(upload, spot, begun(upload), desk)
  return {
    ...requestOf(ctx, open, sent, desk, canonicalFields(dialect, sent.values, { chunks: count, chunk })),
    file: begun().file,
    place: { size: 0, chunks: count ?? chunk + 1, chunk },
    stated: { ...statedOf(dialect, sent.values), put, length: null, chunkSize },
  }
}

/** Whether a request is that of a chunk. */
export function isChunk(request: ChunkRequest | WholeFile): request is ChunkRequest {
  return 'place' in request
}

function exactRequest(
  ctx: Context,
  open: OpenDialect,
  sent: SentFile,
  desk: Desk,
  { size, range, chunk, chunks, chunkSize }: StatedPlace,
): ChunkRequest {
  const { dialect } = open
  const canonical = canonicalFields(dialect, sent.values, { chunks, chunk, size })
  const begun = rewindable(dialect, sent, chunk)
  const put = (upload: Upload): Promise<StoredChunk> => putExactly(upload, size, range, begun(upload))
  return {
    ...requestOf(ctx, open, sent, desk, canonical),
    file: begun().file,
    place: { size, chunks, chunk },
    stated: {
      ...statedOf(dialect, sent.values),
      put,
      length: size,
      chunkSize,
      longest: dialect.place?.by !== 'index' && dialect.fields.guessable ? lengthOf(range) : undefined,
    },
  }
}

/**
 * Whether two selections of files with one name and one size send the same fields: then chunk 0, which is sent in any
 * case, shows which file is meant.
 */
export function looksAlike({ fields }: Dialect): boolean {
  return fields.guessable && fields.sender.length === 0
}

/** The file of a request; that of chunk 0 can be stored elsewhere if it differs. */
function rewindable(dialect: Dialect, sent: SentFile, chunk: number): (upload?: Upload) => SentFile {
  if (chunk !== 0 || !looksAlike(dialect)) return () => sent
  const file = new RewindableSource(sent.file)
  const begun = { ...sent, file }
  return (upload) => {
    file.compared = upload?.record.id
    return begun
  }
}

function statedOf(dialect: Dialect, values: RequestValues) {
  return {
    metadata: metadataOf(dialect, values),
    resumes: values.get(dialect.fields.resumed) !== undefined,
  }
}

/** A chunk whose place its caller adds. */
function requestOf(
  ctx: Context,
  { tools }: OpenDialect,
  { file, lengths, checkTrailing }: SentFile,
  desk: Desk,
  fields: Fields,
): ChunkRequest {
  const { rules, visitors } = tools.options
  const caller = visitors.callerOf(ctx, desk)
  const name = fields.get('name')?.[0]
  const asked = { fields, name, isPartName: false }
  return {
    fields,
    isPartName: false,
    file,
    lengths,
    place: { size: 0, chunks: 1, chunk: 0 },
    caller,
    identities: identitiesOf(asked, caller, ctx.ip, rules),
    key: cacheKeyOf(asked, caller.owner, ctx.ip, rules),
    facts: {
      size: Number(fields.get('size')?.[0] ?? 0),
      chunks: Number(fields.get('chunks')?.[0] ?? 1),
      date: fields.get('lastModifiedDate')?.[0],
    },
    modified: modifiedOf(fields),
    checkTrailing,
  }
}

/** What a request means that its values do not say directly. */
interface Meant {
  readonly chunks?: number | undefined
  readonly chunk?: number | undefined
  /** Bytes. */
  readonly size?: number | undefined
  readonly task?: string | undefined
}

/** The values of a request as fields of WebUploader, which the adapter knows. */
export function canonicalFields(
  { name: dialect, fields }: Dialect,
  values: RequestValues,
  { chunks, chunk, size, task = values.task() }: Meant = {},
): Fields {
  const canonical = new Map<string, readonly string[]>([['dialect', [dialect]]])
  const set = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) canonical.set(name, [String(value)])
  }
  set('task_id', task)
  set('name', values.get(fields.name))
  set('type', values.get(fields.type))
  set('size', size ?? values.get(fields.size))
  set('lastModifiedDate', values.get(fields.modified))
  set('content', values.get(fields.content))
  set('chunks', chunks)
  set('chunk', chunk)
  for (const [index, references] of fields.identity.entries()) set(identityField(index), values.get(references))
  if (fields.sender.length > 0) {
    set('id', JSON.stringify(fields.sender.map((references) => values.get(references) ?? null)))
  }
  return canonical
}

/** The metadata of a new upload that WebUploader has no fields for, or that a whole file has. */
export function metadataOf({ fields }: Dialect, values: RequestValues): Readonly<Record<string, string>> {
  const all = { ...fields.metadata, filename: fields.name, filetype: fields.type, relativePath: fields.relativePath }
  const metadata: Record<string, string> = {}
  for (const [name, references] of Object.entries(all)) {
    const value = values.get(references)
    if (value !== undefined) metadata[name] = value
  }
  return metadata
}
