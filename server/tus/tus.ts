import type { Context } from 'koa'
import type { Concatenation } from '../core/concatenation.ts'
import { addAnswer } from '../core/current-request.ts'
import { SCAN_WAIT } from '../core/deadline.ts'
import type { Desk } from '../core/desk.ts'
import { expectedDigest } from '../core/digest.ts'
import { UploadError } from '../core/errors.ts'
import { idleSince } from '../core/idle-since.ts'
import { nameOf, newRecord } from '../core/record.ts'
import { safeName } from '../core/safe-name.ts'
import type { Source } from '../core/source.ts'
import type { Upload } from '../core/upload.ts'
import { contentLength } from '../http/header-values.ts'
import { endIfWhole, type Intake } from '../protocol/intake.ts'
import { withBody } from '../protocol/request-body.ts'
import { CHECKSUM_ALGORITHMS, checksummed } from './checksum.ts'
import { concatHeader, creationHeaders } from './creation-headers.ts'
import { type Creation, type FinalCreation, parseAppend, parseCreation, TUS_VERSION } from './headers.ts'
import { idsOfParts } from './part-urls.ts'

const EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'checksum',
  'checksum-trailer',
  'concatenation',
  'concatenation-unfinished',
]

export interface TusOptions {
  /** Maximum bytes of an upload; `Infinity` for no limit. */
  readonly maxSize: number
  /** When a body without data is aborted, in milliseconds. */
  readonly idleTimeout: number
  /** When an unfinished upload without data expires, in milliseconds. */
  readonly expiresAfter: number
  /** The URL of an upload for `Location`. */
  readonly urlOf: (ctx: Context, id: string) => string
  readonly termination: Termination
  /** The name of this node, with which its ids begin; empty if it is alone. */
  readonly node: string
}

/** Which uploads clients may delete: all of their own, unfinished ones, or none. */
export type Termination = 'on' | 'unfinished' | 'off'

/** The handlers of tus 1.0.0 (https://tus.io/protocols/resumable-upload). Each throws `UploadError`. */
export class Tus {
  readonly #intake: Intake
  readonly #concatenation: Concatenation
  readonly #options: TusOptions
  readonly #expiries = new WeakMap<Date, string>()

  constructor(intake: Intake, concatenation: Concatenation, options: TusOptions) {
    this.#intake = intake
    this.#concatenation = concatenation
    this.#options = options
  }

  /** OPTIONS: the version, extensions, and limits of this server. */
  options(ctx: Context): void {
    const extensions = this.#options.termination === 'off' ? EXTENSIONS : [...EXTENSIONS, 'termination']
    ctx.set({ 'Tus-Resumable': TUS_VERSION, 'Tus-Version': TUS_VERSION, 'Tus-Extension': extensions.join(',') })
    ctx.set('Tus-Checksum-Algorithm', CHECKSUM_ALGORITHMS)
    if (Number.isFinite(this.#options.maxSize)) ctx.set('Tus-Max-Size', String(this.#options.maxSize))
    ctx.status = 204
  }

  /** POST: creation, creation-with-upload, creation-defer-length, concatenation. */
  async post(ctx: Context, desk: Desk): Promise<void> {
    checkVersion(ctx)
    const creation = parseCreation(ctx.headers)
    if ('parts' in creation) await this.#createFinal(ctx, desk, creation)
    else await this.#createOne(ctx, desk, creation)
    ctx.status = 201
  }

  async #createOne(ctx: Context, desk: Desk, creation: Creation): Promise<void> {
    const { length, metadata, rawMetadata, partial } = creation
    this.#intake.checkRoom(desk, ctx.headers, 0, creation.withBody ? length : null)
    const record = newRecord({ length, metadata, rawMetadata, ...(partial && { partial }) }, this.#options.node)
    const setHeaders = async (upload: Upload): Promise<void> => {
      await upload.withdrawUndecided()
      ctx.set('Location', this.#options.urlOf(ctx, upload.record.id))
      ctx.set('Upload-Offset', String(upload.offset))
      await this.#setExpires(ctx, upload)
      addAnswer(upload.record.answer)
    }
    if (isSmallFile(ctx, creation)) {
      const read = async (): Promise<Buffer> =>
        creation.withBody ? withBody(ctx, this.#options.idleTimeout, (body) => wholeOf(body, length ?? 0)) : NOTHING
      return desk.createFinished(record, async () => [await read()], setHeaders)
    }
    await desk.create(record, async (upload) => {
      ctx.set('Location', this.#options.urlOf(ctx, upload.record.id))
      if (creation.withBody) await this.#appendBody(ctx, desk, upload, 0)
      await upload.settle(SCAN_WAIT)
      await setHeaders(upload)
    })
  }

  async #createFinal(ctx: Context, desk: Desk, creation: FinalCreation): Promise<void> {
    const { metadata, rawMetadata } = creation
    const concat = concatHeader(creation.concat)
    const parts = idsOfParts(creation.parts)
    const fileName = safeName(nameOf(metadata))
    const id = await this.#concatenation.create({ parts, tus: { concat }, metadata, rawMetadata, fileName }, desk)
    ctx.set('Location', this.#options.urlOf(ctx, id))
    await desk.use(id, async (upload) => {
      upload.checkDecided()
      addAnswer(upload.record.answer)
    })
  }

  /** HEAD: the offset, also while bytes arrive. Waits while the file is finalized. */
  async head(ctx: Context, desk: Desk, id: string): Promise<void> {
    checkVersion(ctx)
    ctx.set('Cache-Control', 'no-store')
    await desk.report(id, async (upload) => {
      await upload.receiving.catchUp()
      await endIfWhole(upload)
      await upload.settleOffset(0)
      const { record } = upload
      // Concatenation: a final upload has no Upload-Offset before its parts are joined. It has a length as soon as all
      // parts have one.
      if (record.parts === undefined || upload.state === 'finished' || upload.state === 'scanning')
        ctx.set('Upload-Offset', String(upload.receiving.offerOffset()))
      if (record.length !== null) ctx.set('Upload-Length', String(record.length))
      else if (record.parts === undefined) ctx.set('Upload-Defer-Length', '1')
      ctx.set(creationHeaders(record))
      addAnswer(record.answer)
      await this.#setExpires(ctx, upload)
    })
    ctx.status = 200
  }

  /** PATCH: the next bytes. */
  async patch(ctx: Context, desk: Desk, id: string): Promise<void> {
    checkVersion(ctx)
    const { offset, length } = parseAppend(ctx.headers)
    await desk.use(id, async (upload) => {
      try {
        if (length !== undefined) await this.#intake.setLength(desk, upload, length)
        await this.#appendBody(ctx, desk, upload, offset)
        await endIfWhole(upload)
        await upload.settleOffset(SCAN_WAIT)
      } finally {
        // What another node has told may be more.
        if (!upload.isMoved) ctx.set('Upload-Offset', String(upload.offset))
        this.#intake.look(upload)
      }
      addAnswer(upload.record.answer)
      await this.#setExpires(ctx, upload)
    })
    ctx.status = 204
  }

  /** DELETE: termination, also of a finished upload unless the options exclude it. */
  async delete(ctx: Context, desk: Desk, id: string): Promise<void> {
    checkVersion(ctx)
    const onlyIncomplete = this.#options.termination !== 'on'
    await this.#intake.remove(desk, id, (upload) => upload.terminate({ onlyIncomplete }))
    ctx.status = 204
  }

  /** Expiration: when an unfinished upload expires; each byte postpones it. */
  async #setExpires(ctx: Context, upload: Upload): Promise<void> {
    const since = await idleSince(upload)
    if (since !== undefined) ctx.set('Upload-Expires', this.#expiryOf(since))
  }

  /** Cached by the date of the last byte: clients often ask again before the next one. */
  #expiryOf(lastChange: Date): string {
    const known = this.#expiries.get(lastChange)
    if (known !== undefined) return known
    const expiry = new Date(lastChange.getTime() + this.#options.expiresAfter).toUTCString()
    this.#expiries.set(lastChange, expiry)
    return expiry
  }

  #appendBody(ctx: Context, desk: Desk, upload: Upload, offset: number): Promise<void> {
    return this.#intake.append(ctx, desk, upload, offset, (body) => checksummed(ctx.req, body))
  }
}

/** Maximum file, in bytes, whose body is read completely before its upload is created. */
const MAX_SMALL_FILE = 64 * 1024

/**
 * Whether a creation contains a whole small file. Before the response, its client knows no URL, so nothing is lost if
 * the body is incomplete. A file with a digest is created the usual way, so its client can query the result.
 */
function isSmallFile({ headers }: Context, { length, partial, withBody, metadata }: Creation): boolean {
  if (length === null || length > MAX_SMALL_FILE || partial || expectedDigest(metadata) !== undefined) return false
  if (headers['upload-checksum'] !== undefined || headers.trailer !== undefined) return false
  return withBody ? contentLength(headers) === length : length === 0
}

const NOTHING = Buffer.alloc(0)

/** Reads a body of `length` bytes, which Node has ensured. */
async function wholeOf(body: Source, length: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(length)
  let filled = 0
  for (let batch = await body.read(); batch !== null; batch = await body.read()) {
    for (const piece of batch) filled += piece.copy(whole, filled)
  }
  return whole.subarray(0, filled)
}

function checkVersion(ctx: Context): void {
  ctx.set('Tus-Resumable', TUS_VERSION)
  const version = ctx.get('Tus-Resumable')
  if (version === TUS_VERSION) return
  ctx.set('Tus-Version', TUS_VERSION)
  const found = version === '' ? 'Tus-Resumable is missing' : 'This version of tus is not supported'
  throw new UploadError('unsupported_version', `${found}: send Tus-Resumable: ${TUS_VERSION}.`)
}
