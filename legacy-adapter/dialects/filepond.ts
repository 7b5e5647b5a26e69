import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import { isEqual } from '../../server/auth/equal-secrets.ts'
import { MAX_WAIT, SCAN_WAIT } from '../../server/core/deadline.ts'
import type { Desk } from '../../server/core/desk.ts'
import { UploadError } from '../../server/core/errors.ts'
import { keyedDigest } from '../../server/core/keyed-digest.ts'
import { idOn } from '../../server/core/node-id.ts'
import { lengthOf } from '../../server/core/ranges.ts'
import { newRecord } from '../../server/core/record.ts'
import type { Source } from '../../server/core/source.ts'
import type { Upload } from '../../server/core/upload.ts'
import { checkUsable } from '../../server/core/upload-state.ts'
import { contentLength, single, wholeNumber } from '../../server/http/header-values.ts'
import type { Admit } from '../../server/protocol/admit.ts'
import { refuseCodings } from '../../server/protocol/content-coding.ts'
import { withBody } from '../../server/protocol/request-body.ts'
import type { Route } from '../../server/route.ts'
import { ChunkSource } from '../chunk-bytes.ts'
import { decodeText } from '../decode-text.ts'
import { oneOf } from '../fields.ts'
import { answer, type Termination } from './handlers.ts'
import type { OpenDialect } from './open-dialect.ts'
import { metadataOf, queryOf, readSent } from './read-chunk.ts'
import { putFile } from './sent-file.ts'

/** Digits of an id: half of them random, half of them prove that this service made it. */
const HALF = 16
/** An id with its node, whose proof is shorter then. */
const ID = /^(?:([a-z]{1,4})-)?([0-9a-f]{16})[0-9a-f]{14,16}$/
/** Maximum body of a DELETE, which is an id. Bytes. */
const LONGEST_ID = 1024

/**
 * FilePond's protocol: POST returns an id as text, PATCH sends the bytes at `Upload-Offset`, HEAD returns where to
 * continue, and DELETE has the id as its body. The id of a POST is that of an upload that the first PATCH begins,
 * because only that has the name of the file.
 */
export class FilePond {
  readonly #open: OpenDialect
  readonly #termination: Termination

  constructor(open: OpenDialect, termination: Termination) {
    this.#open = { ...open, read: [...open.read, 'patch'] }
    this.#termination = termination
  }

  routes(): readonly Route[] {
    const { path } = this.#open.dialect
    return [
      {
        method: 'POST',
        path,
        limited: true,
        answer: { needs: ['create'], from: 'fields', run: (ctx, admit) => this.#post(ctx, path, admit) },
      },
      {
        method: 'PATCH',
        path,
        limited: true,
        answer: { needs: ['write'], from: 'fields', run: (ctx, admit) => this.#patch(ctx, admit) },
      },
      {
        method: 'HEAD',
        path,
        answer: { needs: ['write', 'read'], from: 'fields', run: (ctx, admit) => this.#head(ctx, admit) },
      },
      {
        method: 'DELETE',
        path,
        answer: { needs: ['delete'], from: 'fields', run: (ctx, admit) => this.#delete(ctx, admit) },
      },
    ]
  }

  /** Creates an upload for chunks, or stores a whole file. */
  async #post(ctx: Context, pattern: string, admit: Admit): Promise<void> {
    ctx.set('Cache-Control', 'no-store')
    refuseCodings(ctx.headers)
    const length = wholeNumber(ctx.headers, 'Upload-Length')
    const { tools } = this.#open
    if (length !== undefined) {
      const desk = await this.#admitted(ctx, admit, length)
      desk.checkSize(length)
      answer(ctx, this.#open.dialect.answer.stored, { id: this.#newId(desk) })
      await withBody(ctx, tools.options.idleTimeout, (body) => drain(body, LONGEST_METADATA))
      return
    }
    await withBody(
      ctx,
      tools.options.idleTimeout,
      async (body) => {
        const sent = await readSent(ctx, body, pattern, this.#open)
        const { dialect } = this.#open
        const metadata = metadataOf(dialect, sent.values)
        const token = oneOf(sent.tokens, tools.options.tokenField ?? '')
        const desk = await admit({ token, upload: { length: null, name: metadata['filename'] } })
        const record = { ...newRecord({ length: null, metadata }), id: this.#newId(desk) }
        const id = await desk.createTentatively(record, async (upload) => {
          await putFile(upload, sent, desk)
          // Sent again, it would be a second upload.
          await upload.settle(MAX_WAIT)
          return upload.record.id
        })
        answer(ctx, dialect.answer.stored, { id })
      },
      'held',
    )
  }

  async #patch(ctx: Context, admit: Admit): Promise<void> {
    ctx.set('Cache-Control', 'no-store')
    refuseCodings(ctx.headers)
    const { headers } = ctx
    const offset = wholeNumber(headers, 'Upload-Offset')
    const length = wholeNumber(headers, 'Upload-Length')
    const sent = contentLength(headers)
    if (offset === undefined || length === undefined || sent === undefined || offset + sent > length) {
      throw new UploadError('bad_request', 'The headers must say where in the file the bytes are.')
    }
    const name = single(headers, 'Upload-Name')
    const desk = await this.#admitted(ctx, admit, length, name)
    const id = this.#named(ctx, desk)
    await withBody(
      ctx,
      this.#open.tools.options.idleTimeout,
      async (body) => {
        const put = (upload: Upload): Promise<void> => putAt(upload, { offset, length, sent }, body)
        const filename = name === undefined ? undefined : decodeText(Buffer.from(name, 'latin1'))
        const record = {
          ...newRecord({ length, metadata: filename === undefined ? {} : { filename } }),
          id,
          ...(offset === 0 && sent > 0 && { webUploader: { chunkSize: sent } }),
        }
        try {
          await desk.use(id, put)
        } catch (error) {
          if (!isUnknown(error)) throw error
          await desk.createTentatively(record, put)
        }
      },
      'held',
    )
    ctx.status = 204
  }

  /** The page skips all chunks that begin below the offset, so it is the beginning of a chunk. */
  async #head(ctx: Context, admit: Admit): Promise<void> {
    ctx.set('Cache-Control', 'no-store')
    const desk = await this.#admitted(ctx, admit)
    const id = this.#named(ctx, desk)
    const offset = await desk
      .report(id, async (upload) => {
        checkUsable(upload)
        const { offset, record } = upload
        if (offset === record.length) {
          await upload.finish(MAX_WAIT, SCAN_WAIT)
          return offset
        }
        const { chunkSize } = record.webUploader ?? {}
        return chunkSize === undefined ? 0 : offset - (offset % chunkSize)
      })
      .catch((error: unknown) => {
        if (isUnknown(error)) return 0
        throw error
      })
    ctx.set('Upload-Offset', String(offset))
    ctx.status = 200
  }

  async #delete(ctx: Context, admit: Admit): Promise<void> {
    ctx.set('Cache-Control', 'no-store')
    if (this.#termination === 'off') throw new UploadError('forbidden', 'This service deletes no uploads.')
    const desk = await this.#admitted(ctx, admit)
    // The application may have chosen another id for a whole file.
    const id = await withBody(ctx, this.#open.tools.options.idleTimeout, (body) => drain(body, LONGEST_ID))
    const onlyIncomplete = this.#termination !== 'on'
    try {
      await desk.use(id, (upload) => upload.terminate({ onlyIncomplete }))
    } catch (error) {
      if (!isUnknown(error) && !(error instanceof UploadError && error.code === 'gone')) throw error
      // Nothing was sent yet, or the page asks twice.
      if (!this.#isGiven(id, desk)) throw error
    }
    ctx.status = 204
  }

  #admitted(ctx: Context, admit: Admit, length: number | null = null, name?: string): Promise<Desk> {
    const { tokens } = queryOf(ctx, this.#open)
    const token = oneOf(tokens, this.#open.tools.options.tokenField ?? '')
    return admit({ token, upload: { length, name } })
  }

  #newId(desk: Desk): string {
    return this.#idOf(this.#open.tools.options.rules.node, randomBytes(HALF / 2).toString('hex'), desk)
  }

  /** The id in the query. @throws UploadError `not_found`. */
  #named(ctx: Context, desk: Desk): string {
    const id = queryOf(ctx, this.#open).fields.get('patch')?.[0] ?? ''
    if (this.#isGiven(id, desk)) return id
    throw new UploadError('not_found', 'Not found.')
  }

  /** Whether this service gave the id to this owner. One of before NODE was set or changed stays valid. */
  #isGiven(id: string, desk: Desk): boolean {
    const [, node = '', random] = ID.exec(id) ?? []
    return random !== undefined && isEqual(id, this.#idOf(node, random, desk))
  }

  #idOf(node: string, random: string, { principal }: Desk): string {
    const { secret } = this.#open.tools.options.rules
    const proof = keyedDigest(secret, 'filepond', [random, principal.owner]).slice(0, HALF)
    return idOn(node, `${random}${proof}`)
  }
}

/** Maximum metadata of an item, which is ignored. Bytes. */
const LONGEST_METADATA = 64 * 1024

/** Reads a small body as text. @throws UploadError `too_large`. */
async function drain(body: Source, most: number): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for (let batch = await body.read(); batch !== null; batch = await body.read()) {
    for (const piece of batch) {
      length += piece.length
      if (length > most) throw new UploadError('too_large', 'The body is too long.')
      pieces.push(Buffer.from(piece))
    }
  }
  return Buffer.concat(pieces).toString().trim()
}

/** Puts a chunk; one that ends at the end of its file may be empty, and come after the file has finished. */
async function putAt(
  upload: Upload,
  { offset, length, sent }: { readonly offset: number; readonly length: number; readonly sent: number },
  body: Source,
): Promise<void> {
  if (upload.record.length !== length) {
    throw new UploadError('bad_request', 'The length of the file differs from that of earlier chunks.')
  }
  const range = { start: offset, end: offset + sent }
  const source = new ChunkSource(body, range, async (arrived) => {
    if (arrived !== lengthOf(range))
      throw new UploadError('wrong_length', 'The chunk has another length than announced.')
  })
  await upload.receiving.put(range, source)
  // The page takes this response for the end of the file; a chunk that is sent again is only compared.
  if (upload.state !== 'receiving') await upload.finish(MAX_WAIT, SCAN_WAIT)
}

function isUnknown(error: unknown): boolean {
  return error instanceof UploadError && error.code === 'not_found'
}
