import { createHash } from 'node:crypto'
import type { Context } from 'koa'
import type { Algorithm } from '../core/digest.ts'
import { UploadError } from '../core/errors.ts'
import { lengthOf, type Range } from '../core/ranges.ts'
import type { Metadata } from '../core/record.ts'
import { reprDigest } from '../protocol/repr-digest.ts'
import { evaluate } from './conditions.ts'
import { asksForInline, contentHeaders } from './content.ts'
import { type Selected, select } from './range.ts'
import { opened, send } from './send.ts'
import type { Validators } from './validators.ts'

/** A finished file for download. */
export interface DownloadableFile {
  readonly id: string
  /** bytes */
  readonly size: number
  readonly modified: Date
  readonly metadata: Metadata
  /** The bytes from `start` up to, but not including, `end`. A buffer is valid until the next one is read. */
  read(range: Range): AsyncIterable<Buffer>
  /** The digest of all bytes. */
  digest(algorithm: Algorithm): Promise<Buffer>
}

/**
 * The content never changes, but the file may be deleted: clients may cache it, but must revalidate. Compression of an
 * application would make ranges and a strong ETag untrue (RFC 9111 §5.2.2.6).
 */
export const FILE_CACHING = 'private, no-cache, no-transform'

/**
 * Responds to GET and HEAD of a finished file with 200, 206, or 304 (RFC 9110 §13, §14). Returns when the response is
 * sent, or the client has disconnected.
 *
 * @throws UploadError `precondition_failed` (412); `range_not_satisfiable` (416), with `Content-Range` already set; a
 * storage error, which closes the connection if bytes have been sent.
 */
export async function download(ctx: Context, file: DownloadableFile): Promise<void> {
  const validators = validatorsOf(file)
  if (isNotModified(ctx, validators)) {
    setFileHeaders(ctx, file, validators)
    ctx.status = 304
    return
  }
  const selected = selectedOf(ctx, file, validators)
  const length = lengthOf(selected)
  const digest = await reprDigest(ctx.get('Want-Repr-Digest'), file)
  // Read before any header is set: an error response must not have the headers of the file.
  const bytes = ctx.method === 'GET' && length > 0 ? await opened(file.read(selected)) : undefined
  try {
    setFileHeaders(ctx, file, validators)
    ctx.set(digest)
    setRangeHeaders(ctx, file, selected)
    if (bytes === undefined) return
    // Koa would log a client that disconnects as an error, and would not report when the response is sent.
    ctx.respond = false
    await send(ctx.res, bytes, length)
  } finally {
    await bytes?.rest.return?.()
  }
}

/**
 * An id names one content as long as its upload or tombstone exists, so it makes a strong entity tag. Size and time
 * distinguish later content of the same id, and that of a restored or repaired store. `Last-Modified` is never in the
 * future (RFC 9110 §8.8.2.1).
 */
export function validatorsOf(file: DownloadableFile): Validators {
  return {
    etag: `"${digestOf(file.id)}-${file.size}-${file.modified.getTime().toString(36)}"`,
    lastModified: new Date(Math.min(file.modified.getTime(), Date.now())),
  }
}

/** A reader with a signed link must not learn the id. */
function digestOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 22)
}

/** @throws UploadError `precondition_failed`. */
function isNotModified(ctx: Context, validators: Validators): boolean {
  const conditions = {
    ifMatch: field(ctx, 'If-Match'),
    ifUnmodifiedSince: field(ctx, 'If-Unmodified-Since'),
    ifNoneMatch: field(ctx, 'If-None-Match'),
    ifModifiedSince: field(ctx, 'If-Modified-Since'),
  }
  const verdict = evaluate(conditions, validators)
  if (verdict !== 'failed') return verdict === 'not_modified'
  throw new UploadError('precondition_failed', 'The file does not meet the preconditions of the request.')
}

/**
 * `Range` applies only to GET (RFC 9110 §14.2).
 *
 * @throws UploadError `range_not_satisfiable`, with `Content-Range` already set.
 */
function selectedOf(ctx: Context, file: DownloadableFile, validators: Validators): Selected {
  const request = ctx.method === 'GET' ? { range: field(ctx, 'Range'), ifRange: field(ctx, 'If-Range') } : {}
  const selection = select(request, file.size, validators)
  if (selection.status !== 416) return selection
  ctx.set('Content-Range', `bytes */${file.size}`)
  throw new UploadError('range_not_satisfiable', `The range is outside the file, which has ${file.size} bytes.`)
}

/** Koa returns an empty string for an absent header. */
function field(ctx: Context, name: string): string | undefined {
  return ctx.get(name) || undefined
}

function setFileHeaders(ctx: Context, file: DownloadableFile, validators: Validators): void {
  ctx.set({
    ...contentHeaders(file.metadata, asksForInline(ctx.query['inline'])),
    'Accept-Ranges': 'bytes',
    ETag: validators.etag,
    'Last-Modified': validators.lastModified.toUTCString(),
    'Cache-Control': FILE_CACHING,
  })
}

function setRangeHeaders(ctx: Context, file: DownloadableFile, selected: Selected): void {
  ctx.status = selected.status
  // Without a body, Koa would send the status text.
  if (file.size === 0) ctx.body = Buffer.alloc(0)
  ctx.length = lengthOf(selected)
  if (selected.status === 206) ctx.set('Content-Range', `bytes ${selected.start}-${selected.end - 1}/${file.size}`)
}
