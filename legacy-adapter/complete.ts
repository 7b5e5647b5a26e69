import type { Context } from 'koa'
import { MAX_WAIT, SCAN_WAIT } from '../server/core/deadline.ts'
import type { Desk } from '../server/core/desk.ts'
import { UploadError } from '../server/core/errors.ts'
import { failureError } from '../server/core/failure.ts'
import { covers } from '../server/core/ranges.ts'
import { nameOf, type UploadRecord } from '../server/core/record.ts'
import { unlessMissing } from '../server/core/unless-missing.ts'
import type { Upload } from '../server/core/upload.ts'
import { answerJson } from '../server/http/json.ts'
import type { Admit } from '../server/protocol/admit.ts'
import { type Caller, isOfSameNetwork, isVisible, type Owner } from './caller.ts'
import { missingChunks } from './chunk-layout.ts'
import { type Fields, oneOf, oneValue } from './fields.ts'
import { type IdentityRules, identityOf, type Task, taskOf } from './identity.ts'
import { chunksOf, knowsSender, updatePage } from './page-record.ts'
import { readFields } from './small-body.ts'
import type { Tools } from './tools.ts'
import { meantByComplete } from './which-upload.ts'

/** Maximum missing chunks named in a response. */
const MOST_NAMED = 1000
/** Maximum uploads opened at once. */
const MOST_OPENED_AT_ONCE = 16
/** Maximum uploads of a task to open when the file name alone finds none. */
const MOST_OPENED_PER_TASK = 100

/**
 * `GET` and `POST /upload/complete`: reports whether the file is finished, and marks it as confirmed. A file finishes
 * by itself with its last byte; only one that several senders fed may wait for this request.
 *
 * @throws UploadError as `Admit`; `not_found`, `incomplete` with the missing chunks, `ambiguous`, the error of a failed upload.
 */
export async function complete(ctx: Context, admit: Admit, tools: Tools): Promise<void> {
  const { tokenField = '', urlOf, visitors } = tools.options
  const { fields, tokens } = await readFields(ctx, tools)
  const desk = await admit({ token: oneOf(tokens, tokenField) })
  const caller = visitors.callerOf(ctx, desk)
  const record = await completedFile(fields, ctx.ip, caller, tools)
  ctx.set('Cache-Control', 'no-store')
  answerJson(ctx, {
    ok: true,
    ...(record.webUploader?.visitor === undefined ? {} : { id: record.id, url: urlOf(ctx, record.id) }),
    name: nameOf(record.metadata) || record.fileName,
    size: record.length,
    ...(record.webUploader?.visitor !== undefined && { result: record.answer?.result }),
  })
}

/**
 * The record of the finished file that the fields mean, which counts as confirmed from then on.
 *
 * @param atEnd is called on an upload that receives nothing more, before it counts as incomplete.
 * @throws UploadError like `complete`, except those of `Admit`.
 */
export async function completedFile(
  fields: Fields,
  address: string,
  caller: Caller,
  tools: Tools,
  atEnd?: (upload: Upload) => Promise<void>,
): Promise<UploadRecord> {
  const meant = choose(await viewsFor({ fields, address, caller }, tools))
  const { record } = meant.finished === undefined ? await whenFinished(meant, caller.desk, tools, atEnd) : meant
  await confirm(record.id, caller.desk)
  return record
}

/** A snapshot of an upload. */
interface View extends Pick<Upload, 'record' | 'state'> {
  readonly finished: number | undefined
  readonly confirmed: boolean
  readonly fed: number
}

/** What a request completes, and for whom. */
interface Question {
  readonly fields: Fields
  readonly address: string
  readonly caller: Caller
}

/** The uploads of the requested file: those of the caller, and, for a visitor, those begun without a cookie. */
async function viewsFor(question: Question, tools: Tools): Promise<readonly View[]> {
  await tools.live.ready()
  const { fields, address, caller } = question
  const { rules } = tools.options
  const tasks = ownersOf(caller).map((owner) => taskOf(fields, owner, address, rules))
  const name = oneValue(fields, 'filename')
  if (name === undefined) return viewsOfOneName(tasks, question, tools)
  // As sent, and in the two normalization forms that operating systems use.
  for (const spelling of new Set([name, name.normalize('NFC'), name.normalize('NFD')])) {
    const views: View[] = []
    for (const task of tasks) views.push(...(await viewsOfName(task, spelling, question, tools)))
    if (views.length > 0) return views
  }
  const ids = await idsOfTasks(tasks, tools)
  if (ids.length > MOST_OPENED_PER_TASK) return []
  const views = await viewsOf(ids, question, tools)
  return views.filter((view) => nameOf(view.record.metadata).normalize('NFC') === name.normalize('NFC'))
}

function ownersOf({ desk, owner }: Caller): readonly Owner[] {
  return desk.principal.owner === undefined && owner !== undefined ? [owner, undefined] : [owner]
}

/**
 * The uploads of a task with the requested extension and type. Without its name, a file that was begun without a cookie
 * is found only from the network that began it: task ids may be numbers in order.
 *
 * @throws UploadError `ambiguous` if names differ.
 */
async function viewsOfOneName(tasks: readonly Task[], question: Question, tools: Tools): Promise<readonly View[]> {
  const { fields, caller } = question
  const ids = await idsOfTasks(tasks, tools)
  if (ids.length > MOST_OPENED_PER_TASK) throw ambiguous()
  const ext = oneValue(fields, 'ext')?.replace(/^\.?/, '.').toLowerCase()
  const type = oneValue(fields, 'type')
  const views = (await viewsOf(ids, question, tools)).filter(
    ({ record }) =>
      (record.webUploader?.visitor !== undefined || isOfSameNetwork(record, caller)) &&
      (ext === undefined || nameOf(record.metadata).toLowerCase().endsWith(ext)) &&
      (type === undefined || type === record.metadata['filetype']),
  )
  if (new Set(views.map(({ record }) => nameOf(record.metadata))).size > 1) throw ambiguous()
  return views
}

/** The uploads of one name that a complete can mean. */
async function viewsOfName(task: Task, name: string, question: Question, tools: Tools): Promise<readonly View[]> {
  const { adopted, live } = tools
  const file = task.named(name)
  const ids = new Set([...(await idsOfMark(name, question, tools)), ...(await live.ofName(file))])
  const views = await viewsOf([...ids], question, tools)
  const ofOtherTasks = await viewsOf(await adopted.of(task.group), question, tools)
  return [...views, ...ofOtherTasks.filter(({ record }) => nameOf(record.metadata) === name)]
}

/** What the sender of the mark may have begun: many files of one name may be newer. */
async function idsOfMark(
  name: string,
  { fields, address, caller }: Question,
  { options }: Tools,
): Promise<readonly string[]> {
  if (!fields.has('landfall_file')) return []
  const file = { fields, name: oneValue(fields, 'name') ?? name }
  const ids: string[] = []
  for (const owner of ownersOf(caller)) {
    const { firstId } = identityOf(file, owner, address, options.rules)
    const noted = await options.senders.read(firstId)
    ids.push(firstId, ...(noted === undefined ? [] : [noted]))
  }
  return ids
}

/**
 * Whether the upload is that of the file with the mark of the request, if it has one: several files may have one task
 * and name. What the request does not state is as recorded.
 */
function isMarked(record: UploadRecord, { fields, address }: Question, rules: IdentityRules): boolean {
  if (!fields.has('landfall_file')) return true
  const { metadata, length, webUploader } = record
  const taskId = metadata['task_id']
  const sent = new Map([
    ['size', [String(webUploader?.size ?? length)]],
    ['chunks', [String(chunksOf(record))]],
    ...fields,
  ])
  // A later task of the page may have adopted the upload.
  if (taskId == null) sent.delete('task_id')
  else sent.set('task_id', [taskId])
  const identity = identityOf(
    { fields: sent, name: metadata['filename'] ?? undefined },
    webUploader?.visitor,
    address,
    rules,
  )
  return knowsSender(record, identity, oneValue(fields, 'lastModifiedDate'))
}

async function idsOfTasks(tasks: readonly Task[], { adopted, live }: Tools): Promise<readonly string[]> {
  const ids: string[] = []
  for (const { group } of tasks) ids.push(...(await live.allOfTask(group)), ...(await adopted.of(group)))
  return ids
}

/** Snapshots of the uploads that the request can mean; failed ones only if there are no others. */
async function viewsOf(ids: readonly string[], question: Question, tools: Tools): Promise<readonly View[]> {
  const { caller } = question
  const views: View[] = []
  for (let at = 0; at < ids.length; at += MOST_OPENED_AT_ONCE) {
    const batch = ids.slice(at, at + MOST_OPENED_AT_ONCE)
    const found = await Promise.all(batch.map((id) => viewOf(id, caller.desk, tools)))
    views.push(...found.filter((view) => view !== undefined))
  }
  const meant = views.filter(
    ({ record }) => isVisible(record, caller) && isMarked(record, question, tools.options.rules),
  )
  const working = meant.filter(({ state }) => state !== 'failed')
  return working.length > 0 ? working : meant
}

async function viewOf(id: string, desk: Desk, { live }: Tools): Promise<View | undefined> {
  return unlessMissing(
    desk.report(id, async (upload) => {
      const { record, state, finishedAt } = upload
      const finished = finishedAt?.getTime()
      const fed = live.fed(id) || (finished ?? (await upload.lastChange()).getTime())
      return { record, state, finished, confirmed: record.webUploader?.confirmed === true, fed }
    }),
  )
}

/** @throws UploadError `not_found`, or the error of a failed upload if all have failed. */
function choose(views: readonly View[]): View {
  const meant = meantByComplete(views)
  if (meant === undefined) throw new UploadError('not_found', 'No such file was uploaded under this task.')
  const { failed } = meant.record
  if (failed !== undefined) throw failureError(failed)
  return meant
}

/** Waits for requests in flight and for the finishing. @throws UploadError `incomplete`, and what finishing throws. */
async function whenFinished(
  { record: { id } }: View,
  desk: Desk,
  { live }: Tools,
  atEnd?: (upload: Upload) => Promise<void>,
): Promise<Pick<Upload, 'record'>> {
  return desk.report(id, async (upload) => {
    if (upload.state === 'receiving') await upload.receiving.quiet(MAX_WAIT / 2)
    await atEnd?.(upload)
    const { length, endAwaited, webUploader } = upload.record
    const isFull = length !== null && covers(upload.received, { start: 0, end: length })
    // If the page skipped chunks from a memory of its own, no single sender has sent them all; the file is whole
    // anyway.
    const isWhole = isFull && !webUploader?.contested && live.inFlight(id) === 0
    if (endAwaited && isWhole) await upload.announceEnd(length)
    if (upload.state === 'receiving') throw incomplete(upload)
    await upload.finish(MAX_WAIT / 2, SCAN_WAIT)
    if (live.isLive(id)) live.settle(id)
    return { record: upload.record }
  })
}

/** Marks the file as confirmed: the next complete of this name means another one. */
async function confirm(id: string, desk: Desk): Promise<void> {
  try {
    await desk.use(id, async (upload) => {
      if (upload.record.webUploader?.confirmed) return
      await updatePage(upload, (page) => ({ ...page, confirmed: true }))
    })
  } catch (error) {
    // The file exists in any case.
    if (!(error instanceof UploadError)) throw error
  }
}

function incomplete({ record, received }: Upload): UploadError {
  const { chunks = 1, chunkSize } = record.webUploader ?? {}
  const { missing, total } =
    chunkSize === undefined
      ? { missing: [...Array(Math.min(chunks, MOST_NAMED)).keys()], total: chunks }
      : missingChunks(received, record.length ?? chunks * chunkSize, chunkSize, MOST_NAMED, chunks)
  const details = { missing, missing_total: total }
  if (total === 0) {
    return new UploadError('incomplete', 'The chunks do not belong to one file; send the file again.', { details })
  }
  const sentence = total === 1 ? 'One chunk is missing.' : `${total} chunks are missing.`
  return new UploadError('incomplete', sentence, { details })
}

function ambiguous(): UploadError {
  return new UploadError('ambiguous', 'Several files of this task match; name one with "filename".')
}
