import { lengthOf, prefix, type Range, received } from '../../server/core/ranges.ts'
import { unlessMissing } from '../../server/core/unless-missing.ts'
import type { Upload } from '../../server/core/upload.ts'
import { type Caller, isVisible } from '../caller.ts'
import { fileKey, historyName } from '../check-histories.ts'
import { chunkRange, wholeChunks } from '../chunk-layout.ts'
import type { Fields } from '../fields.ts'
import { type FileRequest, identitiesOf, taskOf } from '../identity.ts'
import { chunkSetOf, chunksOf } from '../page-record.ts'
import type { Tools } from '../tools.ts'
import type { ChunkSet } from '../which-upload.ts'

/** What a page asks for. */
export interface Asked {
  /** As `canonicalFields` returns them. */
  readonly fields: Fields
  /** Whether only the task is named. */
  readonly byTask: boolean
  /** The chunk, from 0; `undefined` for a list of all that fit into the answer. */
  readonly chunk: number | undefined
  /** The length that the chunk must have, in bytes, if the page says it. */
  readonly length: number | undefined
}

/**
 * The chunks that the page need not send. Chunk 0 is never among them: it proves that the file is the same. A finished
 * file has none: only its bytes prove that it is meant. Recorded before the response, so a page that skips chunks of
 * another file is found out.
 *
 * @throws UploadError `storage_error`, `bad_field`, `duplicate_field`.
 */
export async function chunksToSkip(asked: Asked, address: string, caller: Caller, tools: Tools): Promise<ChunkSet> {
  return asked.byTask ? skippedOfTask(asked, address, caller, tools) : skippedOfFile(asked, address, caller, tools)
}

async function skippedOfFile(
  { fields, chunk, length }: Asked,
  address: string,
  caller: Caller,
  { histories, lookup, options }: Tools,
): Promise<ChunkSet> {
  const file = { fields, name: fields.get('name')?.[0] }
  const request: FileRequest = {
    caller,
    identities: identitiesOf(file, caller, address, options.rules),
    facts: {
      size: Number(fields.get('size')?.[0] ?? 0),
      chunks: Number(fields.get('chunks')?.[0] ?? 1),
      date: fields.get('lastModifiedDate')?.[0],
    },
  }
  const { own } = request.identities()
  const history = historyName(caller, own.group)
  const isRefused = await histories.read(history, (notes) => notes.isRefused(own.group))
  const { candidates } = await lookup.find(request)
  const known = candidates.find((candidate) => candidate.knowsSender && !candidate.finished)
  if (isRefused || known === undefined) {
    if (begins(chunk)) await histories.change(history, (notes) => notes.recordSender(own.group, own.sender, []))
    return []
  }
  const all = await unlessMissing(caller.desk.use(known.id, async (upload) => skippable(upload)))
  const named = chunk === undefined ? listable(all?.chunks ?? []) : (all?.chunks ?? [])
  const skipped = answered(named, chunk, all?.lengthOf, length)
  if (skipped.length > 0) {
    await histories.change(history, (notes) => notes.recordSender(own.group, own.sender, named))
  }
  return skipped
}

/** Pages that only name the task: nothing, unless it names exactly one unfinished upload. */
async function skippedOfTask(
  { fields, chunk, length }: Asked,
  address: string,
  caller: Caller,
  { histories, live, lookup, options }: Tools,
): Promise<ChunkSet> {
  await live.ready()
  const { group } = taskOf(fields, caller.owner, address, options.rules)
  const history = historyName(caller, group)
  const isRefused = await histories.read(history, (notes) => notes.isRefused(group))
  const found: { readonly key: string; readonly upload: Skippable }[] = []
  const ids = live.ofTask(group)
  if (ids.length > MOST_EXAMINED) return []
  for (const id of ids) {
    await unlessMissing(
      caller.desk.use(id, async (upload) => {
        const { record, state } = upload
        if (state !== 'receiving' || !isVisible(record, caller)) return
        const file = id.slice(0, id.lastIndexOf('.'))
        // The page that began it skips nothing, and one that asks meanwhile would not be let in.
        const isJoinable = lookup.skippableOf(upload).atRest || (record.webUploader?.senders ?? []).length > 1
        const key = fileKey({ group, file }, record.length ?? 0)
        found.push({ key, upload: isJoinable ? skippable(upload) : NOTHING })
      }),
    )
  }
  const [only, ...others] = found
  if (isRefused || only === undefined || others.length > 0) {
    if (begins(chunk)) {
      await histories.change(history, (notes) => {
        for (const { key } of found) notes.recordFile(group, key, [])
      })
    }
    return []
  }
  const named = chunk === undefined ? listable(only.upload.chunks) : only.upload.chunks
  const skipped = answered(named, chunk, only.upload.lengthOf, length)
  if (skipped.length > 0) await histories.change(history, (notes) => notes.recordFile(group, only.key, named))
  return skipped
}

/** Maximum unfinished uploads of a task to examine. */
const MOST_EXAMINED = 32

interface Skippable {
  readonly chunks: ChunkSet
  /** The length of a chunk in bytes. */
  readonly lengthOf: (chunk: number) => number
}

const NOTHING: Skippable = { chunks: [], lengthOf: () => 0 }

function skippable(upload: Upload): Skippable {
  const { length, webUploader } = upload.record
  const chunks = upload.state === 'receiving' ? storedChunks(upload) : []
  const count = chunksOf(upload.record)
  const lengthOf = (chunk: number): number => {
    if (length === null) return webUploader?.chunkSize ?? 0
    const { start, end } = chunkRange(length ?? 0, webUploader?.chunkSize ?? 0, chunk)
    return chunk === count - 1 ? (length ?? 0) - start : end - start
  }
  return { chunks: prefix(chunks) === 0 ? [] : received(chunks, BEHIND_FIRST), lengthOf }
}

/** The complete chunks, also of a file whose size is still unknown: of that, as long as the others. */
function storedChunks(upload: Upload): ChunkSet {
  const { length, webUploader } = upload.record
  if (length !== null) return chunkSetOf(upload)
  const { chunkSize, chunks } = webUploader ?? {}
  if (chunkSize === undefined || chunks === undefined) return []
  return wholeChunks(upload.received, chunks * chunkSize, chunkSize, chunks)
}

const BEHIND_FIRST = { start: 1, end: Number.MAX_SAFE_INTEGER }

/** Maximum size of a list of chunks, in bytes. Unlisted chunks are sent again. */
const LONGEST_LIST = 256 * 1024
/** Quotes, a comma, and the digit that counting from 1 may add. */
const AROUND_NUMBER = 4

/** The first chunks, as many as fit into a list. */
function listable(chunks: ChunkSet): ChunkSet {
  const fitting: Range[] = []
  let room = LONGEST_LIST
  for (const { start, end } of chunks) {
    let chunk = start
    for (; chunk < end; chunk += 1) {
      room -= String(chunk).length + AROUND_NUMBER
      if (room < 0) break
    }
    if (lengthOf({ start, end: chunk }) > 0) fitting.push({ start, end: chunk })
    if (room < 0) break
  }
  return fitting
}

/** The chunks to name: all of them, or the one that was asked for. */
function answered(
  chunks: ChunkSet,
  chunk: number | undefined,
  lengthOf: Skippable['lengthOf'] | undefined,
  length: number | undefined,
): ChunkSet {
  if (chunk === undefined) return chunks
  if (length !== undefined && lengthOf?.(chunk) !== length) return []
  return received(chunks, { start: chunk, end: chunk + 1 })
}

/** Whether a page begins with this question: whatever it was told before, it asks for each chunk again. */
function begins(chunk: number | undefined): boolean {
  return chunk === undefined || chunk === 0
}
