import type { Context } from 'koa'
import type { UploadRecord } from '../server/core/record.ts'
import type { Upload } from '../server/core/upload.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { drain } from '../server/http/drain.ts'
import { answerJson } from '../server/http/json.ts'
import { receivedChunks } from './chunk-layout.ts'
import { type Fields, fieldValue, oneValue, wholeNumber } from './fields.ts'
import { type IdentityRules, identityOf, taskOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'
import { readFields } from './small-body.ts'
import { introduce } from './visitor.ts'
import type { VisitorUploads } from './visitor-uploads.ts'

/** How many generations of a file are looked for; a file that was deleted more often is sent again. */
const MOST_GENERATIONS = 100
/**
 * How long the list of an answer may be, in bytes: twice what 100,000 chunks need under the task ids that pages make. Each name repeats
 * the task id, which may have thousands of characters.
 */
const LONGEST_LIST = 8 * 1024 * 1024
/** What a name has beside the task id, at most: digits and a comma. */
const REST_OF_NAME = 10

/**
 * `POST /check`: names chunks that need not be sent again. It always answers 200 with a list: a page whose check fails never
 * uploads at all, while a chunk that is sent again costs only time.
 */
export async function check(
  ctx: Context,
  uploads: Uploads,
  options: LegacyOptions,
  visitorUploads: VisitorUploads,
): Promise<void> {
  const visitor = introduce(ctx, options.rules.secret)
  const names = await namesFor(ctx, uploads, options, () => visitorUploads.of(visitor)).catch(() => [])
  ctx.set('Cache-Control', 'no-store')
  answerJson(ctx, { file_list: [names] })
  // Whatever was sent, it is read away, so that the connection can go on.
  drain(ctx)
}

async function namesFor(
  ctx: Context,
  uploads: Uploads,
  options: LegacyOptions,
  ofVisitor: () => Promise<readonly string[]>,
): Promise<string[]> {
  const fields = await readFields(ctx, options)
  const name = oneValue(fields, 'name')
  const size = wholeNumber(fields, 'size')
  if (fields.has('task_id') && name !== undefined && size !== undefined) {
    return namesOfFile(fields, name, size, ctx.ip, uploads, options)
  }
  if (!options.listsChunks) return []
  const lists: string[][] = []
  let room = LONGEST_LIST
  for (const id of await ofVisitor()) {
    if (room <= 0) break
    const names = await chunkNames(uploads, id, isIdle, room)
    lists.push(names)
    room -= Buffer.byteLength(JSON.stringify(names))
  }
  return lists.flat()
}

/**
 * Chunk names do not say which file they belong to, so that the upload must be the one that the page's chunks would go to.
 * A check that sends all fields of the identity names it exactly. One that sends fewer is answered only if a single
 * unfinished upload can be meant: chunks that were skipped wrongly are then found missing, and no other file is taken for it.
 */
async function namesOfFile(
  fields: Fields,
  name: string,
  size: number,
  address: string,
  uploads: Uploads,
  { rules }: LegacyOptions,
): Promise<string[]> {
  const task = taskOf(fields, address, rules)
  const prefix = `${task.named(name)}.`
  const named = (await uploads.group(task.group)).filter((id) => id.startsWith(prefix))
  const sentAll = rules.names.every((field) => fields.has(field) || field === 'chunks')
  const isMade = madeOf(fields, address, rules)
  const chunks = oneValue(fields, 'chunks')
  // A name may be that of thousands of files, "image.jpg" for one: where the ids can be told, no others are opened.
  const ids = sentAll && chunks !== undefined ? named.filter((id) => isMade(id, chunks)) : named
  const isMeant = ({ record, state }: Upload): boolean => {
    if (record.length !== size || state === 'failed' || !agrees(record, fields)) return false
    return sentAll ? isMade(record.id, String(record.chunks ?? 1)) : state === 'receiving'
  }
  let found: string[] = []
  for (const id of ids) {
    const names = await chunkNames(uploads, id, isMeant, LONGEST_LIST)
    if (names.length === 0) continue
    if (found.length > 0) return []
    found = names
  }
  return found
}

/** Whether nothing that the check says contradicts the record. */
function agrees(record: UploadRecord, fields: Fields): boolean {
  const known = new Map([
    ['lastModifiedDate', record.metadata['lastModifiedDate']],
    ['type', record.metadata['filetype']],
    ['chunks', record.chunks === undefined ? undefined : String(record.chunks)],
  ])
  return [...known].every(([name, value]) => !fields.has(name) || oneValue(fields, name) === value)
}

/** Whether an id is made of just these fields, when the file was cut into so many chunks. */
function madeOf(fields: Fields, address: string, rules: IdentityRules): (id: string, chunks: string) => boolean {
  const byChunks = new Map<string, ReadonlySet<string>>()
  return (id, chunks) => {
    const known = byChunks.get(chunks) ?? idsOf(new Map(fields).set('chunks', [fieldValue(chunks)]), address, rules)
    byChunks.set(chunks, known)
    return known.has(id)
  }
}

function idsOf(fields: Fields, address: string, rules: IdentityRules): ReadonlySet<string> {
  const { idOf } = identityOf(fields, address, rules)
  return new Set(Array.from({ length: MOST_GENERATIONS }, (_, generation) => idOf(generation)))
}

function isIdle(upload: Upload): boolean {
  return upload.state === 'receiving' && !upload.busy
}

/** The names, `task_id + chunk`, of the chunks that are wholly there, or of as many of them as have room in so many bytes. */
async function chunkNames(
  uploads: Uploads,
  id: string,
  wanted: (upload: Upload) => boolean,
  room: number,
): Promise<string[]> {
  return uploads
    .use(id, async (upload) => {
      const { length, chunkSize, metadata } = upload.record
      if (!wanted(upload) || length === null || chunkSize === undefined) return []
      const taskId = metadata['task_id'] ?? ''
      const most = Math.floor(room / (Buffer.byteLength(JSON.stringify(taskId)) + REST_OF_NAME))
      return receivedChunks(upload.received, length, chunkSize, most).map((chunk) => `${taskId}${chunk}`)
    })
    .catch(() => [])
}
