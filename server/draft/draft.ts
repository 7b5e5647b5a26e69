import type { Context } from 'koa'
import { addAnswer } from '../core/current-request.ts'
import type { Desk } from '../core/desk.ts'
import { UploadError } from '../core/errors.ts'
import { idleSince } from '../core/idle-since.ts'
import { newRecord } from '../core/record.ts'
import type { Source } from '../core/source.ts'
import type { Upload } from '../core/upload.ts'
import { contentLength } from '../http/header-values.ts'
import { parseDigests } from '../protocol/digest-fields.ts'
import { type CountedSource, endIfWhole, type Intake } from '../protocol/intake.ts'
import { reprDigest } from '../protocol/repr-digest.ts'
import { VerifiedSource } from '../protocol/verified-source.ts'
import { type DraftAppend, endsByLength, interopVersion, parseAppend, parseCreation, type Sending } from './headers.ts'
import { type InterimResponses, sendInterim } from './interim.ts'
import { ProgressSource } from './progress-source.ts'

export interface DraftOptions {
  /** Maximum bytes of an upload; `Infinity` for no limit. */
  readonly maxSize: number
  /** When an unfinished upload without data expires, in milliseconds. */
  readonly expiresAfter: number
  /** The URL of an upload for `Location`. */
  readonly urlOf: (ctx: Context, id: string) => string
  /** The name of this node, with which its ids begin; empty if it is alone. */
  readonly node: string
  readonly interimResponses: InterimResponses
}

/**
 * The handlers of resumable uploads for HTTP: draft-ietf-httpbis-resumable-upload, interop version 8, and what
 * tus-js-client needs of 5 and 6. Quotations are from the draft. Each handler throws `UploadError`.
 */
export class Draft {
  readonly #intake: Intake
  readonly #options: DraftOptions

  constructor(intake: Intake, options: DraftOptions) {
    this.#intake = intake
    this.#options = options
  }

  /** OPTIONS: the limits of new uploads. */
  options(ctx: Context): void {
    ctx.set('Upload-Limit', this.#limits())
    ctx.status = 204
  }

  /** POST or PUT: upload creation. */
  async post(ctx: Context, desk: Desk): Promise<void> {
    ctx.set({ 'Upload-Limit': this.#limits(), 'Upload-Complete': '?0' })
    const { metadata, rawMetadata, endAwaited, wantedDigest, ...sending } = parseCreation(ctx.headers)
    const length = sending.length ?? null
    this.#intake.checkRoom(desk, ctx.headers, 0, length)
    const draft = wantedDigest === undefined ? undefined : { wantedDigest }
    const record = newRecord(
      { length, metadata, rawMetadata, draft, protocol: 'draft', ...(endAwaited && { endAwaited }) },
      this.#options.node,
    )
    await desk.create(record, async (upload) => {
      const location = this.#options.urlOf(ctx, upload.record.id)
      const announced = { Location: location, 'Upload-Limit': await this.#limitsOf(upload) }
      ctx.set(announced)
      sendInterim(ctx, this.#options.interimResponses, sending.interop, announced)
      await upload.receiving.inTurn(() => this.#appendBody(ctx, desk, upload, { ...sending, offset: 0 }))
      await awaitVerdict(ctx, upload)
      addAnswer(upload.record.answer)
      if (upload.state === 'finished') ctx.set(await reprDigest(wantedDigest ?? '', upload))
    })
    ctx.status = 201
  }

  /**
   * HEAD: offset retrieval. It first interrupts a request that is still appending: "the offset sent by the server MUST
   * be accepted in a subsequent request".
   */
  async head(ctx: Context, desk: Desk, id: string): Promise<void> {
    ctx.set('Cache-Control', 'no-store')
    await desk.report(id, async (upload) => {
      await upload.receiving.interrupt()
      if (endsByLength(interopVersion(ctx.headers))) {
        await endIfWhole(upload)
        await upload.settleOffset(0)
      }
      await upload.settle(0)
      await this.setUploadHeaders(ctx, upload)
    })
    ctx.status = 204
  }

  /** GET: offset retrieval, like HEAD. */
  get(ctx: Context, desk: Desk, id: string): Promise<void> {
    return this.head(ctx, desk, id)
  }

  /** Sets what "A successful response to a HEAD or GET request against an upload resource" MUST include. */
  async setUploadHeaders(ctx: Context, upload: Upload, offset: number = upload.offset): Promise<void> {
    setState(ctx, upload, offset)
    addAnswer(upload.record.answer)
    const { length } = upload.record
    if (length !== null) ctx.set('Upload-Length', String(length))
    ctx.set('Upload-Limit', await this.#limitsOf(upload))
  }

  /** PATCH: upload append. */
  async patch(ctx: Context, desk: Desk, id: string): Promise<void> {
    ctx.set({ 'Cache-Control': 'no-store', 'Upload-Limit': this.#limits(), 'Upload-Complete': '?0' })
    const append = parseAppend(ctx.headers)
    await desk.use(id, async (upload) => {
      await upload.receiving.inTurn((check) => this.#append(ctx, desk, upload, append, check))
      await awaitVerdict(ctx, upload)
      setState(ctx, upload)
      ctx.set('Upload-Limit', await this.#limitsOf(upload))
      addAnswer(upload.record.answer)
      if (upload.state !== 'finished') return
      // "The response that matches what the resource, that was targeted by the initial upload creation, would have
      // generated."
      const want = ctx.get('Want-Repr-Digest') || (upload.record.draft?.wantedDigest ?? '')
      ctx.set({ Location: this.#options.urlOf(ctx, id), ...(await reprDigest(want, upload)) })
    })
    ctx.status = ctx.response.get('Upload-Complete') === '?1' ? 201 : 204
  }

  /** DELETE: upload cancellation, which keeps a finished file. */
  async delete(ctx: Context, desk: Desk, id: string): Promise<void> {
    await this.#intake.remove(desk, id, (upload) => upload.terminate({ onlyIncomplete: true }))
    ctx.status = 204
  }

  /** @param check throws if a newer request has arrived. */
  async #append(ctx: Context, desk: Desk, upload: Upload, append: DraftAppend, check: () => void): Promise<void> {
    await upload.settle(0)
    try {
      upload.receiving.expectOffset(append.offset)
    } catch (error) {
      ctx.set('Upload-Offset', String(upload.offset))
      throw error
    }
    if (upload.state === 'finished' || upload.state === 'scanning') return checkRepeated(ctx, append, upload)
    await refuseBeyondLength(ctx, upload, append)
    if (append.length !== undefined) await this.#intake.setLength(desk, upload, append.length)
    check()
    await this.#appendBody(ctx, desk, upload, append)
  }

  /** Appends the body of a request, and completes the upload if it is the last one. */
  async #appendBody(
    ctx: Context,
    desk: Desk,
    upload: Upload,
    { offset, complete, interop }: Sending & { offset: number },
  ): Promise<void> {
    let source: ProgressSource | undefined
    try {
      await this.#intake.append(ctx, desk, upload, offset, (body) => {
        source = new ProgressSource(body, () =>
          sendInterim(ctx, this.#options.interimResponses, interop, { 'Upload-Offset': String(upload.offset) }),
        )
        return verifiedIfAsked(ctx, source)
      })
      if (complete) await upload.announceEnd(offset + (source?.readBytes ?? 0))
      else if (endsByLength(interop)) await endIfWhole(upload)
      await upload.settle(0)
    } catch (error) {
      throw (source?.readBytes ?? 0) > 0 ? await ifTooLong(upload, error) : error
    } finally {
      setState(ctx, upload)
      this.#intake.look(upload)
    }
  }

  async #limitsOf(upload: Upload): Promise<string> {
    const since = await idleSince(upload)
    if (since === undefined) return this.#limits()
    const left = since.getTime() + this.#options.expiresAfter - Date.now()
    return `${this.#limits()}, max-age=${Math.max(0, Math.floor(left / 1000))}`
  }

  /** "If the server does not apply any limits, it MUST use min-size=0 instead of an empty header value." */
  #limits(): string {
    const { maxSize } = this.#options
    return Number.isFinite(maxSize) ? `max-size=${maxSize}` : 'min-size=0'
  }
}

function setState(ctx: Context, upload: Upload, offset: number = upload.offset): void {
  ctx.set({
    'Upload-Offset': String(offset),
    'Upload-Complete': upload.state === 'finished' || isRefusedFile(upload) ? '?1' : '?0',
  })
}

/** Waits for the verdict of a scan, out of turn: meanwhile a HEAD returns the offset. @throws UploadError `scanning`. */
async function awaitVerdict(ctx: Context, upload: Upload): Promise<void> {
  if (upload.state !== 'scanning') return
  try {
    await upload.finish()
  } finally {
    setState(ctx, upload)
  }
}

/** Whether all bytes are there, and the file was refused: the upload is complete, sending more would not help. */
function isRefusedFile({ record: { failed } }: Upload): boolean {
  return failed?.code === 'digest_mismatch' || failed?.code === 'rejected'
}

/** "If the digests don't match the server SHOULD consider the transfer failed, not append the content". */
function verifiedIfAsked(ctx: Context, body: Source): CountedSource {
  const digests = parseDigests(ctx.get('Content-Digest'))
  if (digests.size === 0) return { source: body, count: 'as-received' }
  return { source: new VerifiedSource(body, [...digests.keys()], () => digests), count: 'when-verified' }
}

/**
 * A request that completes a complete upload again gets the same response: the first one may have been lost.
 *
 * @throws UploadError `wrong_length`, `already_complete`.
 */
function checkRepeated({ headers }: Context, { complete, length }: DraftAppend, { record }: Upload): void {
  const empty = headers['transfer-encoding'] === undefined && (contentLength(headers) ?? 0) === 0
  if (!empty) throw new UploadError('wrong_length', 'This upload is complete and accepts no more data.')
  if ((length ?? record.length) !== record.length) {
    throw new UploadError('wrong_length', `This upload is complete, with ${record.length} bytes.`)
  }
  if (!complete) throw new UploadError('already_complete', 'This upload is complete.')
}

/** @throws UploadError `wrong_length` when, by its Content-Length, the body exceeds the length of the upload. */
async function refuseBeyondLength({ headers }: Context, upload: Upload, { offset }: DraftAppend): Promise<void> {
  const { length } = upload.record
  if (length !== null && offset + (contentLength(headers) ?? 0) > length) throw await tooLong(upload, 'wrong_length')
}

/** The error to throw after an append failed with `error`. */
async function ifTooLong(upload: Upload, error: unknown): Promise<unknown> {
  if (!(error instanceof UploadError) || error.code !== 'too_large') return error
  const { length } = upload.record
  if (length === null) return tooLong(upload, 'too_large')
  // At a lower offset, the file system refused the bytes, not this rule.
  return upload.offset === length ? tooLong(upload, 'wrong_length') : error
}

/**
 * "The server MUST prevent the offset from exceeding the upload length by rejecting the request once the offset exceeds
 * the length, marking the upload resource invalid and rejecting any further interaction with it." In other protocols,
 * an upload ends with its last byte, and bytes after it do no harm.
 */
async function tooLong(upload: Upload, code: 'too_large' | 'wrong_length'): Promise<UploadError> {
  const message = 'The request sends more bytes than the length of this upload allows.'
  const { endAwaited, webUploader } = upload.record
  if (endAwaited && webUploader === undefined) await upload.fail(code, message)
  return new UploadError(code, message)
}
