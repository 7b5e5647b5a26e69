import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import { lengthOf, type Range } from '../core/ranges.ts'
import type { Uploads } from '../core/uploads.ts'
import { clientOf, limitRequests } from '../http/address-limits.ts'
import { formatDigest } from '../http/digest-fields.ts'
import { answerJson } from '../http/json.ts'
import type { Handler } from '../http/routes.ts'

/** The longest range of one request, in bytes. */
const LONGEST = 16 * 1024 * 1024

/** How many digests are computed at a time for one client address, and in all: they must not slow down uploads. */
const AT_ONCE_PER_CLIENT = 1
const AT_ONCE = 2

/** How long a request waits for those before it, in milliseconds. */
const PATIENCE = 10_000

/**
 * Answers `GET /files/<id>/digest?start=0&end=8388608` with the digest of these bytes of an upload, finished or not: a client that
 * means to resume can compare them with its file first.
 */
export function rangeDigests(uploads: Uploads): Handler {
  const sentence = 'Other digests are still being computed; try again in a moment.'
  const rules = { patience: PATIENCE, sentence }
  const perClient = limitRequests({ ...rules, most: AT_ONCE_PER_CLIENT, lineOf: (ctx) => clientOf(ctx.ip) })
  // Each client stands in this line once at most, so that none of them can fill it.
  const inAll = limitRequests({ ...rules, most: AT_ONCE, lineOf: () => '' })
  const limited = perClient(inAll((ctx, id) => answer(ctx, id, uploads)))
  return (ctx, id) => {
    // Before the wait: what is wrong needs none.
    rangeOf(ctx)
    return limited(ctx, id)
  }
}

async function answer(ctx: Context, id: string, uploads: Uploads): Promise<void> {
  const range = rangeOf(ctx)
  const closed = new AbortController()
  const close = (): void => closed.abort(new UploadError('connection_closed', 'The connection was closed.'))
  ctx.res.once('close', close)
  if (ctx.req.socket.destroyed) close()
  try {
    closed.signal.throwIfAborted()
    const digest = await uploads.use(id, (upload) => upload.rangeDigest('sha256', range, closed.signal))
    ctx.set('Cache-Control', 'no-store')
    answerJson(ctx, { ...range, digest: formatDigest('sha-256', digest) })
  } finally {
    ctx.res.off('close', close)
  }
}

/** @throws UploadError `bad_request`. */
function rangeOf({ query }: Context): Range {
  const [start, end] = [position(query['start']), position(query['end'])]
  if (start === undefined || end === undefined || start >= end || lengthOf({ start, end }) > LONGEST) {
    const message = `The query must name 1 to ${LONGEST} bytes by start, the first, and end, the one after the last.`
    throw new UploadError('bad_request', message)
  }
  return { start, end }
}

function position(text: string | readonly string[] | undefined): number | undefined {
  const number = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}
