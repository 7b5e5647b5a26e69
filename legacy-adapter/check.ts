import type { Context } from 'koa'
import type { Desk } from '../server/core/desk.ts'
import { lengthOf, type Range } from '../server/core/ranges.ts'
import type { UploadRecord } from '../server/core/record.ts'
import { unlessMissing } from '../server/core/unless-missing.ts'
import { discardBody } from '../server/http/discard-body.ts'
import { answerJson } from '../server/http/json.ts'
import type { Admit } from '../server/protocol/admit.ts'
import type { Caller } from './caller.ts'
import { fileKey, historyName } from './check-histories.ts'
import { type Fields, modifiedOf, oneOf, oneValue, wholeNumber } from './fields.ts'
import { FILE_FIELDS, type FileRequest, type IdentityRules, identitiesOf, identityOf } from './identity.ts'
import { chunksOf, knowsSender } from './page-record.ts'
import { readFields } from './small-body.ts'
import type { Tools } from './tools.ts'
import {
  type Candidate,
  type ChunkSet,
  chunksOfSender,
  chunksToSkip,
  meantByCheck,
  type Skippable,
} from './which-upload.ts'

/** Maximum size of all names in a response, in bytes: each repeats the task id. Unlisted chunks are sent again. */
const LONGEST_LIST = 256 * 1024
/** Maximum unfinished uploads that a bare check examines: per task, and in total. */
const MOST_EXAMINED_PER_TASK = 32
const MOST_EXAMINED = 128
/** Shorter task ids, in characters, may be counters: chunk 11 of task "1" and chunk 1 of task "11" are both "111". */
const UNAMBIGUOUS_LENGTH = 16

/**
 * `POST /check`: lists chunks that need not be sent again. It always responds 200 with a list: a page whose check fails
 * never starts uploading, while resending a chunk costs only time. Without valid credentials, the list is empty.
 */
export async function check(ctx: Context, admit: Admit, tools: Tools): Promise<void> {
  tools.options.visitors.introduce(ctx)
  const names = await namesFor(ctx, admit, tools).catch(() => [])
  ctx.remove('WWW-Authenticate')
  ctx.set('Cache-Control', 'no-store')
  answerJson(ctx, { file_list: [names] })
  // Drain the body in any case, so that the connection stays usable.
  discardBody(ctx)
}

async function namesFor(ctx: Context, admit: Admit, tools: Tools): Promise<string[]> {
  const { listsChunks, tokenField = '', visitors } = tools.options
  const { fields, tokens } = await readFields(ctx, tools)
  const caller = visitors.callerOf(ctx, await admit({ token: oneOf(tokens, tokenField) }))
  const size = wholeNumber(fields, 'size')
  const isNamed = fields.has('task_id') || fields.has('landfall_file')
  if (isNamed && fields.has('name') && size !== undefined) {
    return namesOfFile(fields, size, ctx.ip, caller, tools)
  }
  return listsChunks ? namesOfVisitor(caller, tools) : []
}

/** The chunks of the named file; of the sender's own upload if all fields are present. Recorded before the response. */
async function namesOfFile(
  fields: Fields,
  size: number,
  address: string,
  caller: Caller,
  tools: Tools,
): Promise<string[]> {
  const { histories, lookup, options } = tools
  const file = { fields, name: oneValue(fields, 'name') }
  const request: FileRequest = {
    caller,
    identities: identitiesOf(file, caller, address, options.rules),
    facts: { size, chunks: wholeNumber(fields, 'chunks'), date: oneValue(fields, 'lastModifiedDate') },
  }
  const { own } = request.identities()
  const name = historyName(caller, own.group)
  const hasSender = fields.has('landfall_file') || namesSender(fields, options.rules)
  const { candidates } = await lookup.find(request)
  const known = hasSender ? await knownSender(candidates, request, fields, address, tools) : undefined
  const meant = meantByCheck(candidates, modifiedOf(fields))
  const isRefused = await histories.read(name, (notes) => notes.isRefused(own.group))
  const chunks = isRefused ? [] : known === undefined ? chunksToSkip(meant) : chunksOfSender(known)
  const { names, named } = namesOf(oneValue(fields, 'task_id') ?? '', chunks, LONGEST_LIST)
  await histories.change(name, (notes) => {
    if (hasSender && request.facts.chunks !== undefined) notes.recordSender(own.group, own.sender, named)
    else notes.recordFile(own.group, fileKey(own, size), named)
  })
  return names
}

/** Whether the check has all fields that a chunk has; custom fields of the page may be absent from both. */
function namesSender(fields: Fields, { names }: IdentityRules): boolean {
  return names.every((name) => fields.has(name) || name === 'chunks' || !FILE_FIELDS.has(name))
}

/** The upload of the sender. A check without `chunks` is tried with the number of chunks of each upload. */
async function knownSender(
  candidates: readonly Candidate[],
  request: FileRequest,
  fields: Fields,
  address: string,
  { live, lookup, options }: Tools,
): Promise<Candidate | undefined> {
  const { caller, facts } = request
  const known = candidates.find((candidate) => candidate.knowsSender)
  if (known !== undefined || facts.chunks !== undefined) return known
  const { own } = request.identities()
  const withChunksOf = (record: UploadRecord) =>
    identityOf(
      { fields: new Map(fields).set('chunks', [String(chunksOf(record))]), name: oneValue(fields, 'name') },
      caller.owner,
      address,
      options.rules,
    )
  for (const id of [...live.of(own.file), ...live.settled(own.file).ids]) {
    const found = await unlessMissing(
      caller.desk.use(id, async (upload) => {
        const identity = withChunksOf(upload.record)
        if (!knowsSender(upload.record, identity, facts.date)) return undefined
        return lookup.candidateOf(upload, identity, request)
      }),
    )
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * The chunks that all unfinished uploads of a task have, for each task of a visitor, newest first. Recorded before the
 * response.
 */
async function namesOfVisitor({ desk, owner }: Caller, tools: Tools): Promise<string[]> {
  if (owner === undefined) return []
  const { histories, live } = tools
  await live.ready()
  const groups = await histories.read(owner, (history) => history.groups.filter((group) => !history.isRefused(group)))
  const lists = new Map<string, ChunkSet>()
  const all: string[][] = []
  let room = LONGEST_LIST
  let left = MOST_EXAMINED
  for (const group of groups) {
    const ids = live.ofTask(group)
    if (ids.length === 0 || ids.length > MOST_EXAMINED_PER_TASK || ids.length > left) continue
    left -= ids.length
    const { taskId, chunks } = await chunksOfTask(ids, desk, tools)
    if (taskId === undefined || (/\d$/.test(taskId) && taskId.length < UNAMBIGUOUS_LENGTH)) continue
    const { names, named, bytes } = namesOf(taskId, chunks, room)
    room -= bytes
    lists.set(group, named)
    all.push(names)
  }
  await histories.change(owner, (history) => history.recordBare(lists))
  return all.flat()
}

async function chunksOfTask(
  ids: readonly string[],
  desk: Desk,
  { lookup }: Tools,
): Promise<{ taskId: string | undefined; chunks: ChunkSet }> {
  const unfinished: Skippable[] = []
  let taskId: string | undefined
  for (const id of ids) {
    await unlessMissing(
      desk.use(id, async (upload) => {
        if (upload.state !== 'receiving') return
        taskId = upload.record.metadata['task_id'] ?? undefined
        unfinished.push(lookup.skippableOf(upload))
      }),
    )
  }
  return { taskId, chunks: chunksToSkip(unfinished) }
}

/** The names (`task_id + chunk`) that fit into `room` bytes, and the chunks that they name. */
function namesOf(taskId: string, chunks: ChunkSet, room: number): { names: string[]; named: ChunkSet; bytes: number } {
  const quoted = Buffer.byteLength(JSON.stringify(taskId))
  const names: string[] = []
  const named: Range[] = []
  let bytes = 0
  for (const { start, end } of chunks) {
    let chunk = start
    // Digits and a comma follow the task id.
    for (let next = quoted + digits(chunk); chunk < end && bytes + next <= room; next = quoted + digits(chunk)) {
      bytes += next
      names.push(`${taskId}${chunk}`)
      chunk += 1
    }
    if (lengthOf({ start, end: chunk }) > 0) named.push({ start, end: chunk })
    if (chunk < end) break
  }
  return { names, named, bytes }
}

function digits(chunk: number): number {
  return String(chunk).length + 1
}
