import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import { PATIENCE } from '../server/core/patience.ts'
import type { Upload } from '../server/core/upload.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { answerJson } from '../server/http/json.ts'
import { missingChunks } from './chunk-layout.ts'
import { type Fields, oneValue } from './fields.ts'
import { taskOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'
import { readFields } from './small-body.ts'
import { visitorOf } from './visitor.ts'

/** How many missing chunks an answer names at most. */
const MOST_NAMED = 1000
/** How many uploads of a task are looked at together: there may be thousands, and each costs memory while it is opened. */
const AT_ONCE = 64
/** From how many characters on a task id is taken for a secret of its page. */
const UNGUESSABLE = 16

/**
 * `GET` and `POST /upload/complete`: says whether the file is there. It changes nothing: a file finishes by itself with its
 * last byte.
 *
 * @throws UploadError `not_found`, `incomplete` with the missing chunks, `ambiguous`, the reason of a failed upload.
 */
export async function complete(ctx: Context, uploads: Uploads, options: LegacyOptions): Promise<void> {
  const fields = await readFields(ctx, options)
  const candidates = await candidatesFor(fields, ctx.ip, uploads, options)
  // A page asks for a file whose last chunk was answered: a finished one is meant, not a namesake that is on its way.
  const now = await viewsOf(candidates, uploads, fields)
  const meant = meantOf(now)
  const { record } = newestFinished(meant) ?? choose(await viewsOf(idsOf(meant), uploads, fields, settled))
  const told =
    knowsTask(fields) || (record.visitor !== undefined && record.visitor === visitorOf(ctx, options.rules.secret))
  ctx.set('Cache-Control', 'no-store')
  answerJson(ctx, {
    ok: true,
    ...(told ? { id: record.id, url: options.urlOf(ctx, record.id) } : {}),
    name: record.metadata['filename'] ?? record.fileName,
    size: record.length,
  })
}

/** What is known of a candidate at one moment. */
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

/** Views of the candidates that are not gone. @param first what is waited for before an upload is looked at. */
async function viewsOf(
  ids: readonly string[],
  uploads: Uploads,
  fields: Fields,
  first: (upload: Upload) => Promise<void> = () => Promise.resolve(),
): Promise<View[]> {
  const viewOf = async (id: string): Promise<View | undefined> => {
    try {
      return await uploads.use(id, async (upload) => {
        await first(upload)
        const { record, state, received, finishedAt } = upload
        return { record, state, received, finishedAt, matches: isAskedFor(upload, fields) }
      })
    } catch (error) {
      if (error instanceof UploadError && (error.code === 'gone' || error.code === 'not_found')) return undefined
      throw error
    }
  }
  const views: (View | undefined)[] = []
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    views.push(...(await Promise.all(ids.slice(at, at + AT_ONCE).map(viewOf))))
  }
  return views.filter((view) => view !== undefined)
}

/** Waits for bytes on their way and for the end of finishing. */
async function settled(upload: Upload): Promise<void> {
  if (upload.state === 'receiving') await upload.quiet(PATIENCE / 2)
  if (upload.state === 'finishing') await upload.settle(PATIENCE / 2)
}

function idsOf(views: readonly View[]): readonly string[] {
  return views.map((view) => view.record.id)
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

/** One candidate is meant whatever it is called; among several the name decides. Failed ones count if there are no others. */
function meantOf(views: readonly View[]): readonly View[] {
  const working = views.filter((view) => view.state !== 'failed')
  const pool = working.length > 0 ? working : views
  return pool.length > 1 ? pool.filter((view) => view.matches) : pool
}

function newestFinished(views: readonly View[]): View | undefined {
  const time = (view: View): number => view.finishedAt?.getTime() ?? 0
  return views.filter((view) => view.state === 'finished').sort((a, b) => time(b) - time(a))[0]
}

/** The upload that is meant. @throws UploadError why there is no finished one. */
function choose(views: readonly View[]): View {
  const meant = meantOf(views)
  const finished = newestFinished(meant)
  if (finished !== undefined) return finished
  const unfinished = meant.filter((view) => view.state === 'receiving')
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
