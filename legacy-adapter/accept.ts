import type { Context } from 'koa'
import { SCAN_WAIT } from '../server/core/deadline.ts'
import { total } from '../server/core/ranges.ts'
import type { Source } from '../server/core/source.ts'
import type { Upload } from '../server/core/upload.ts'
import { answerJson } from '../server/http/json.ts'
import type { Admit } from '../server/protocol/admit.ts'
import { refuseCodings } from '../server/protocol/content-coding.ts'
import { withBody } from '../server/protocol/request-body.ts'
import { isBeginner } from './caller.ts'
import { type ChunkRequest, readChunkRequest } from './chunk-request.ts'
import { oneValue } from './fields.ts'
import { taskOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'
import { placeChunk, type Shown } from './place-chunk.ts'
import type { Destination } from './placing.ts'
import type { Tools } from './tools.ts'

/**
 * `POST /upload/accept`: stores one chunk at its offset, in any order. The response to the chunk that completes the
 * file waits until the file is finished.
 *
 * @throws UploadError
 */
export async function accept(ctx: Context, admit: Admit, tools: Tools): Promise<void> {
  const { options, placing } = tools
  ctx.set('Cache-Control', 'no-store')
  refuseCodings(ctx.headers)
  const place = async (body: Source): Promise<Accepted> => {
    const request = await readChunkRequest(ctx, body, admit, options)
    return placing.find(request, async (destination) => {
      const shown = await placeChunk(request, destination, tools)
      await adopt(ctx, request, destination, tools)
      return acceptance(ctx, request, destination, shown, options)
    })
  }
  answerJson(ctx, await withBody(ctx, options.idleTimeout, place, 'held'))
}

/** Lets the current task of the page complete an upload of an earlier one. */
async function adopt(
  ctx: Context,
  { caller, fields }: ChunkRequest,
  { upload }: Destination,
  { adopted, options }: Tools,
): Promise<void> {
  const taskId = oneValue(fields, 'landfall_task')
  if (taskId === undefined) return
  const { group } = taskOf(new Map(fields).set('task_id', [taskId]), caller.owner, ctx.ip, options.rules)
  await adopted.add(group, upload.record.id)
}

/** What the response to a chunk says. */
export interface Accepted {
  readonly ok: true
  /** Only for a caller that has the file: the URL lets its holder read and delete the upload. */
  readonly id?: string
  readonly url?: string
  /** Bytes. */
  readonly size: number | null
  /** Total received bytes. */
  readonly received: number
  readonly finished: boolean
  /** What the application answered when it accepted the file. */
  readonly result?: unknown
}

/** What to say about a stored chunk, once its file is finished if it was the last one. @throws UploadError */
export async function acceptance(
  ctx: Context,
  { caller }: Pick<ChunkRequest, 'caller'>,
  { upload, sender }: Destination,
  shown: Shown,
  { rules, urlOf }: LegacyOptions,
): Promise<Accepted> {
  const { id, length, webUploader } = upload.record
  // While the file is scanned, `finished` is false, and the page learns the verdict from its complete.
  if (upload.state === 'finishing' || upload.state === 'scanning') await upload.settle(SCAN_WAIT)
  const hasFile = (): boolean => rules.guessable !== true || isProof(upload, shown)
  const isCallers = webUploader?.visitor !== undefined || (isBeginner(upload.record, sender, caller) && hasFile())
  return {
    ok: true,
    ...(isCallers ? { id, url: urlOf(ctx, id) } : {}),
    size: length,
    received: total(upload.received),
    finished: upload.state === 'finished',
    ...(isCallers && { result: upload.record.answer?.result }),
  }
}

/**
 * Whether a chunk proves that its sender has the file. Without a cookie, nothing else distinguishes clients that share an
 * address: a stranger may know the name and the size, and guess a few bytes. So the chunk must be as long as the others,
 * or contain the last missing bytes. If the page chooses the range of each request, a stranger may have created the
 * upload, and only the finished file shows how long its chunks are.
 */
function isProof({ record, state }: Upload, { length, isLast }: Shown): boolean {
  const { chunkSize, longest } = record.webUploader ?? {}
  const usual = longest === undefined ? chunkSize : state === 'finished' ? longest : undefined
  const needed = Math.min(usual ?? Number.POSITIVE_INFINITY, record.length ?? Number.POSITIVE_INFINITY)
  return isLast || length >= needed
}
