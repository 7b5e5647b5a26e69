import type { Readable } from 'node:stream'
import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import { lengthOf, type Range } from '../core/ranges.ts'
import { evaluate } from './conditions.ts'
import { asksForInline, contentHeaders, type Metadata } from './content.ts'
import { type Selection, select } from './range.ts'
import { send } from './send.ts'
import type { Validators } from './validators.ts'

/** A finished upload, as far as it can be downloaded. */
export interface DownloadableFile {
  readonly id: string
  /** bytes */
  readonly size: number
  readonly modified: Date
  readonly metadata: Metadata
  /** A stream of the bytes from `start` up to but not including `end`. */
  read(range: Range): Readable
}

/**
 * Answers GET and HEAD for a finished upload: 200, 206, or 304 (RFC 9110 §13, §14). Returns when the answer is sent or
 * the client went away.
 *
 * @throws UploadError `precondition_failed` (412); `range_not_satisfiable` (416), with `Content-Range` already set; an
 * error of the storage, after which the connection is cut if bytes were sent already.
 */
export async function download(ctx: Context, file: DownloadableFile): Promise<void> {
  const validators = validatorsOf(file)
  const verdict = conditionsOf(ctx, validators)
  if (verdict === 'failed') {
    throw new UploadError('precondition_failed', 'The file is not in the state that the request asks for.')
  }
  if (verdict === 'not_modified') {
    setCommonHeaders(ctx, file, validators)
    ctx.status = 304
    return
  }

  const selection = selectionOf(ctx, file, validators)
  if (selection.status === 416) {
    ctx.set('Content-Range', `bytes */${file.size}`)
    throw new UploadError('range_not_satisfiable', `The file has ${file.size} bytes; the range lies outside of them.`)
  }
  setCommonHeaders(ctx, file, validators)
  ctx.status = selection.status
  ctx.length = lengthOf(selection)
  if (selection.status === 206) {
    ctx.set('Content-Range', `bytes ${selection.start}-${selection.end - 1}/${file.size}`)
  }
  if (ctx.method === 'HEAD') return
  await sendBytes(ctx, file, { start: selection.start, end: selection.end })
}

/**
 * An id names one content for ever, so that it makes a strong entity tag; the size tells apart what a restored or
 * repaired store might hold. `Last-Modified` is never later than now (RFC 9110 §8.8.2.1).
 */
function validatorsOf(file: DownloadableFile): Validators {
  return {
    etag: `"${encodeURIComponent(file.id)}-${file.size}"`,
    lastModified: new Date(Math.min(file.modified.getTime(), Date.now())),
  }
}

function conditionsOf(ctx: Context, validators: Validators): ReturnType<typeof evaluate> {
  const conditions = {
    ifMatch: field(ctx, 'If-Match'),
    ifUnmodifiedSince: field(ctx, 'If-Unmodified-Since'),
    ifNoneMatch: field(ctx, 'If-None-Match'),
    ifModifiedSince: field(ctx, 'If-Modified-Since'),
  }
  return evaluate(conditions, validators)
}

/** `Range` has a meaning for GET only (RFC 9110 §14.2). */
function selectionOf(ctx: Context, file: DownloadableFile, validators: Validators): Selection {
  const request = ctx.method === 'GET' ? { range: field(ctx, 'Range'), ifRange: field(ctx, 'If-Range') } : {}
  return select(request, file.size, validators)
}

/** Koa gives the empty string for a header that did not come. */
function field(ctx: Context, name: string): string | undefined {
  return ctx.get(name) || undefined
}

function setCommonHeaders(ctx: Context, file: DownloadableFile, validators: Validators): void {
  ctx.set({
    ...contentHeaders(file.metadata, asksForInline(ctx.query.inline)),
    'Accept-Ranges': 'bytes',
    ETag: validators.etag,
    'Last-Modified': validators.lastModified.toUTCString(),
    // The content never changes, but the file may be deleted: keep it, and ask each time.
    'Cache-Control': 'private, no-cache',
  })
}

async function sendBytes(ctx: Context, file: DownloadableFile, range: Range): Promise<void> {
  if (lengthOf(range) === 0) {
    ctx.body = Buffer.alloc(0)
    return
  }
  await send(ctx, file.read(range), lengthOf(range))
}
