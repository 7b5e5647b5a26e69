import type { Context } from 'koa'
import type { Desk } from '../core/desk.ts'
import { UploadError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { rangeDigest } from '../core/range-digest.ts'
import { lengthOf, type Range } from '../core/ranges.ts'
import type { Upload } from '../core/upload.ts'
import { checkUsable } from '../core/upload-state.ts'
import { clientOf, limitRequests } from '../http/address-limits.ts'
import { answerJson } from '../http/json.ts'
import { formatDigest } from '../protocol/digest-fields.ts'
import type { Downloads } from './links.ts'

/** Maximum bytes per request. */
const MAX_RANGE_BYTES = 16 * 1024 * 1024

/** Maximum concurrent digests, per client address and in total: they must not slow uploads down. */
const MAX_PER_CLIENT = 1
const MAX_CONCURRENT = 2

/** Maximum wait for a turn, in milliseconds. */
const MAX_WAIT_FOR_TURN = 10_000

/**
 * `GET /files/<id>/digest?start=0&end=8388608`: the SHA-256 of these bytes of an upload. Clients compare it with
 * their file before they resume.
 *
 * The digests of short ranges reveal the bytes. A client that may write receives those of an unfinished upload, which
 * it has to continue; those of a file need the right to read it.
 */
export function rangeDigests(downloads: Downloads): (ctx: Context, desk: Desk, id: string) => Promise<void> {
  const sentence = 'Too many digests are being computed; try again in a moment.'
  const rules = { wait: MAX_WAIT_FOR_TURN, sentence }
  const perClient = limitRequests({ ...rules, most: MAX_PER_CLIENT, queueOf: (ctx) => clientOf(ctx.ip) })
  // Each client has at most one request in this queue, so no client can fill it.
  const inTotal = limitRequests({ ...rules, most: MAX_CONCURRENT, queueOf: () => '' })
  return async (ctx, desk, id) => {
    // An invalid request is refused without waiting.
    const range = rangeOf(ctx)
    await perClient(ctx, () => inTotal(ctx, () => answer(ctx, desk, id, range, downloads)))
  }
}

async function answer(ctx: Context, desk: Desk, id: string, range: Range, downloads: Downloads): Promise<void> {
  const closed = new AbortController()
  const close = (): void => closed.abort(new UploadError('connection_closed', 'The connection was closed.'))
  ctx.res.once('close', close)
  if (ctx.req.socket.destroyed) close()
  try {
    closed.signal.throwIfAborted()
    const digest = await desk.report(id, (upload) => {
      checkReadable(upload, desk.principal, downloads)
      return rangeDigest(upload, 'sha256', range, closed.signal)
    })
    ctx.set('Cache-Control', 'no-store')
    answerJson(ctx, { ...range, digest: formatDigest('sha-256', digest) })
  } finally {
    ctx.res.off('close', close)
  }
}

/** @throws UploadError `not_found`, `forbidden`, `busy`, and the error of a failed upload. */
function checkReadable(upload: Upload, { may }: Principal, downloads: Downloads): void {
  checkUsable(upload)
  const { state } = upload
  if (state === 'receiving' || state === 'sealed') {
    if (!may.has('write')) throw new UploadError('not_found', 'This upload is not finished.')
    return
  }
  if (downloads === 'off') throw new UploadError('forbidden', 'Downloads are switched off.')
  if (!may.has('read')) throw new UploadError('forbidden', 'Your credentials do not allow you to read files.')
  if (state !== 'finished') throw new UploadError('busy', 'The file is still being finished.')
}

/** @throws UploadError `bad_request`. */
function rangeOf({ query }: Context): Range {
  const [start, end] = [position(query['start']), position(query['end'])]
  if (start === undefined || end === undefined || start >= end || lengthOf({ start, end }) > MAX_RANGE_BYTES) {
    const message = `The query must select 1 to ${MAX_RANGE_BYTES} bytes: from start up to, but not including, end.`
    throw new UploadError('bad_request', message)
  }
  return { start, end }
}

function position(text: string | readonly string[] | undefined): number | undefined {
  const number = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}
