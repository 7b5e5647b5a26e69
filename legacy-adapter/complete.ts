import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import type { Upload } from '../server/core/upload.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { missingChunks } from './chunk-layout.ts'
import { type Fields, oneValue } from './fields.ts'
import { taskOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'
import { readFields } from './small-body.ts'
import { visitorOf } from './visitor.ts'

/** How many missing chunks an answer names at most. */
const MOST_NAMED = 1000
/** From how many characters on a task id is taken for a secret of its page. */
const UNGUESSABLE = 16

/**
 * `GET` and `POST /upload/complete`: says whether the file is there. It changes nothing: a file finishes by itself with its
 * last byte.
 *
 * @throws UploadError `not_found`, `incomplete` with the missing chunks, `ambiguous`, the reason of a failed upload.
 */
export async function complete(ctx: Context, uploads: Uploads, options: LegacyOptions): Promise<void> {
  const fields = await readFields(ctx, options.idleTimeout)
  const candidates = await candidatesFor(fields, ctx.ip, uploads, options)
  const views = await Promise.all(candidates.map((id) => settledView(uploads, id, fields)))
  const { record } = choose(views.filter((view) => view !== undefined))
  const told = knowsTask(fields) || record.visitor === visitorOf(ctx, options.rules.secret, undefined)
  ctx.body = {
    ok: true,
    ...(told ? { id: record.id, url: options.urlOf(record.id) } : {}),
    name: record.metadata['filename'] ?? record.fileName,
    size: record.length,
  }
}

/** What is known of a candidate once nothing of it is on its way any more. */
type View = Pick<Upload, 'record' | 'state' | 'received' | 'finishedAt'> & { readonly matches: boolean }

/** Ids under the task: those of the file that is named, or all of them if it is not. */
async function candidatesFor(
  fields: Fields,
  address: string,
  uploads: Uploads,
  { rules }: LegacyOptions,
): Promise<readonly string[]> {
  const task = taskOf(fields, address, rules)
  const all = await uploads.group(task.group)
  const name = oneValue(fields, 'filename')
  if (name === undefined || all.length === 1) return all
  const prefix = `${task.named(name)}.`
  const named = all.filter((id) => id.startsWith(prefix))
  return named.length > 0 ? named : all
}

/** Waits for bytes on their way and for the end of finishing; `undefined` if the upload is gone. */
async function settledView(uploads: Uploads, id: string, fields: Fields): Promise<View | undefined> {
  try {
    return await uploads.use(id, async (upload) => {
      if (upload.state === 'receiving') await upload.quiet()
      if (upload.state === 'finishing') await upload.settle()
      const { record, state, received, finishedAt } = upload
      return { record, state, received, finishedAt, matches: isAskedFor(upload, fields) }
    })
  } catch (error) {
    if (error instanceof UploadError && (error.code === 'gone' || error.code === 'not_found')) return undefined
    throw error
  }
}

/** Whether the name, or the extension and type, are those of the upload. */
function isAskedFor({ record }: Upload, fields: Fields): boolean {
  const name = record.metadata['filename'] ?? ''
  const filename = oneValue(fields, 'filename')
  if (filename !== undefined) return filename === name
  const ext = oneValue(fields, 'ext')?.toLowerCase()
  const type = oneValue(fields, 'type')
  return (
    (ext === undefined || name.toLowerCase().endsWith(`.${ext}`)) &&
    (type === undefined || type === record.metadata['filetype'])
  )
}

/** One candidate is meant whatever it is called; among several the name decides. */
function choose(views: readonly View[]): View {
  const working = views.filter((view) => view.state !== 'failed')
  const pool = working.length > 0 ? working : views
  const meant = pool.length > 1 ? pool.filter((view) => view.matches) : pool
  const finished = meant
    .filter((view) => view.state === 'finished')
    .sort((a, b) => (b.finishedAt?.getTime() ?? 0) - (a.finishedAt?.getTime() ?? 0))
  const unfinished = meant.filter((view) => view.state === 'receiving')
  const [first] = finished
  if (first !== undefined) return first
  const [only] = unfinished
  if (only !== undefined && unfinished.length === 1) throw incomplete(only)
  if (unfinished.length > 1) {
    throw new UploadError('ambiguous', 'Several unfinished files of this task could be meant.')
  }
  const failed = meant.find((view) => view.record.failed !== undefined)?.record.failed
  if (failed !== undefined) throw new UploadError(failed.code, failed.message)
  throw new UploadError('not_found', 'No such file was uploaded under this task.')
}

function incomplete({ record, received }: View): UploadError {
  const chunks = record.chunks ?? 1
  const { missing, total } =
    record.chunkSize === undefined
      ? { missing: [...Array(Math.min(chunks, MOST_NAMED)).keys()], total: chunks }
      : missingChunks(received, record.length ?? 0, record.chunkSize, MOST_NAMED)
  const sentence = total === 1 ? 'One chunk is missing.' : `${total} chunks are missing.`
  return new UploadError('incomplete', sentence, { details: { missing, missing_total: total } })
}

function knowsTask(fields: Fields): boolean {
  return (oneValue(fields, 'task_id') ?? '').length >= UNGUESSABLE
}
