import type { Context } from 'koa'
import type { Upload } from '../server/core/upload.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { receivedChunks } from './chunk-layout.ts'
import { type Fields, oneValue, wholeNumber } from './fields.ts'
import { taskOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'
import { readFields } from './small-body.ts'
import { visitorOf } from './visitor.ts'
import type { VisitorUploads } from './visitor-uploads.ts'

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
  const visitor = visitorOf(ctx, options.rules.secret, undefined)
  const names = await namesFor(ctx, uploads, options, () => visitorUploads.of(visitor)).catch(() => [])
  ctx.set('Cache-Control', 'no-store')
  ctx.body = { file_list: [names] }
}

async function namesFor(
  ctx: Context,
  uploads: Uploads,
  options: LegacyOptions,
  ofVisitor: () => Promise<readonly string[]>,
): Promise<string[]> {
  const fields = await readFields(ctx, options.idleTimeout)
  const name = oneValue(fields, 'name')
  const size = wholeNumber(fields, 'size')
  if (fields.has('task_id') && name !== undefined && size !== undefined) {
    return namesOfFile(fields, name, size, ctx.ip, uploads, options)
  }
  if (!options.listsChunks) return []
  const lists: string[][] = []
  for (const id of await ofVisitor()) lists.push(await chunkNames(uploads, id, isIdle))
  return lists.flat()
}

/** Chunk names do not say which file they belong to: with two files of one name and size, none are listed. */
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
  const ids = (await uploads.group(task.group)).filter((id) => id.startsWith(prefix))
  const isMeant = (upload: Upload): boolean => upload.record.length === size && upload.state !== 'failed'
  const lists: string[][] = []
  for (const id of ids) {
    const names = await chunkNames(uploads, id, isMeant)
    if (names.length > 0) lists.push(names)
  }
  return lists.length === 1 ? lists.flat() : []
}

function isIdle(upload: Upload): boolean {
  return upload.state === 'receiving' && !upload.busy
}

/** The names, `task_id + chunk`, of the chunks that are wholly there. */
async function chunkNames(uploads: Uploads, id: string, wanted: (upload: Upload) => boolean): Promise<string[]> {
  return uploads
    .use(id, async (upload) => {
      const { length, chunkSize, metadata } = upload.record
      if (!wanted(upload) || length === null || chunkSize === undefined) return []
      const taskId = metadata['task_id'] ?? ''
      return receivedChunks(upload.received, length, chunkSize).map((chunk) => `${taskId}${chunk}`)
    })
    .catch(() => [])
}
