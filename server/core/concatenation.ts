import { createHmac } from 'node:crypto'
import { MAX_WAIT, SCAN_WAIT, waitAtMost } from './deadline.ts'
import type { Desk } from './desk.ts'
import { stopping, UploadError } from './errors.ts'
import { failureError } from './failure.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { idOn } from './node-id.ts'
import { PartsSource, type SealedPart } from './parts-source.ts'
import type { UploadRecord } from './record.ts'
import { unlessMissing } from './unless-missing.ts'
import type { Upload } from './upload.ts'
import type { Uploads } from './uploads.ts'

/** Wait before a retry, in milliseconds. */
const RETRY_DELAY = 15_000

/** A final upload to create. */
export type FinalUpload = Pick<UploadRecord, 'metadata' | 'rawMetadata' | 'fileName' | 'tus'> & {
  /** Ids of the parts, in order. */
  readonly parts: readonly string[]
}

/**
 * Final uploads: each is a separate upload that is filled from its parts as soon as all of them are complete. The
 * file of the first part becomes its beginning, the others are appended, and they keep their bytes until the final
 * upload is finished. Each step can be repeated after a crash.
 */
export class Concatenation {
  readonly #uploads: Uploads
  readonly #secret: string
  readonly #node: string
  /** The running work of each final upload, one step at a time. */
  readonly #running = new Map<string, Promise<void>>()
  readonly #retries = new Map<string, NodeJS.Timeout>()
  /**
   * Final uploads that share a part are created one at a time: each must see which one owns the part. Others do not
   * wait.
   */
  readonly #creating = new KeyedQueue()
  #closed = false

  /** @param secret makes the ids of final uploads unguessable. @param node like that of `idOn`. */
  constructor(uploads: Uploads, secret: string, node = '') {
    this.#uploads = uploads
    this.#secret = secret
    this.#node = node
  }

  /**
   * Creates a final upload, and waits for its file if its parts are complete. The same parts in the same order are the
   * same final upload of one owner, so a client that lost the response can repeat the request. A part of another owner
   * is like one that does not exist.
   *
   * @returns its id.
   * @throws UploadError `bad_request`, `part_gone`, or `part_taken` for parts that cannot be used; `gone`, `forbidden`,
   * `too_large`, `no_space`, `storage_error`, and the reason if the final upload failed.
   */
  async create(requested: FinalUpload, desk: Desk): Promise<string> {
    const { owner } = desk.principal
    const purpose = owner === undefined ? 'final' : `final of ${owner}`
    const digest = createHmac('sha256', this.#secret)
      .update(`${purpose}\n${requested.parts.join('\n')}`)
      .digest('hex')
    const id = idOn(this.#node, digest.slice(0, 32))
    // A stranger who names the parts of others must not keep them waiting.
    const keys = requested.parts.map((part) => `${owner ?? ''}/${part}`)
    await this.#creating.run(keys, () => this.#createOnce(id, requested, desk))
    const joined = this.advance(id)
    await waitAtMost(MAX_WAIT, joined, 'The parts are still being joined.').catch((error: unknown) => {
      // It continues in the background, and HEAD reports its state.
      if (!(error instanceof UploadError) || !(error.code === 'busy' || error.code === 'scanning')) throw error
    })
    return id
  }

  /**
   * Joins the parts of a final upload as far as possible: not at all while parts are incomplete.
   *
   * @throws UploadError why it failed; transient errors are retried in the background.
   */
  advance(id: string): Promise<void> {
    const before = this.#running.get(id) ?? Promise.resolve()
    const work = before.catch(() => undefined).then(() => this.#advance(id))
    this.#running.set(id, work)
    // Callers that wait for it receive the error.
    work.catch(() => undefined).finally(() => this.#running.get(id) === work && this.#running.delete(id))
    return work
  }

  /** Advances the final upload that an upload is, or is a part of, in the background. */
  look(upload: Upload): void {
    const { id, parts, final } = upload.record
    const concerned = parts === undefined ? final : id
    if (concerned !== undefined) this.advance(concerned).catch(() => undefined)
  }

  /** Removes those of the parts whose bytes were in a final upload that is gone. */
  async forget(final: string, parts: readonly string[]): Promise<void> {
    // Running work may still absorb the bytes of its parts, or discard them.
    await this.#running.get(final)?.catch(() => undefined)
    await this.#uploads.sweeps.forgetJoined(parts, 'deleted')
  }

  /** Resumes what a crash interrupted, here and in all other uploads. */
  async resume(): Promise<void> {
    await this.#uploads.sweeps.resume(async ({ record }) => {
      const id = record.parts === undefined ? await this.#landed(record.final) : record.id
      if (id !== undefined) await this.advance(id).catch(() => undefined)
    })
  }

  /**
   * The final upload of this id, if it is finished: its parts still hold bytes that it no longer needs. Unfinished ones
   * are resumed separately.
   */
  async #landed(final: string | undefined): Promise<string | undefined> {
    if (final === undefined) return undefined
    const state = await this.#uploads.use(final, async (upload) => upload.state).catch(() => undefined)
    return state === 'finished' ? final : undefined
  }

  /** Ends running work, keeping its bytes, and starts no more. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#retries.values()) clearTimeout(timer)
    const ended = [...this.#running.keys()].map((id) => this.#uploads.use(id, (final) => final.close(stopping())))
    await Promise.allSettled([...ended, ...this.#running.values()])
  }

  async #createOnce(id: string, requested: FinalUpload, desk: Desk): Promise<void> {
    if (await this.#exists(id, desk)) return
    const lengths: (number | null)[] = []
    for (const part of requested.parts) lengths.push(await this.#usable(part, id, desk))
    const length = lengths.reduce<number | null>((sum, next) => (sum === null || next === null ? null : sum + next), 0)
    desk.checkSize(length)
    // The final upload grows in the background, where the limit of its creator is no longer known.
    if (length === null && desk.principal.limits.maxSize !== undefined) {
      throw new UploadError(
        'too_large',
        'Your credentials limit the size of files: first state the length of each part.',
      )
    }
    for (const part of requested.parts) {
      const bound = await unlessMissing(desk.use(part, (upload) => bind(upload, id)))
      if (bound === undefined) throw new UploadError('part_gone', 'A part of Upload-Concat was deleted meanwhile.')
    }
    await desk.create({ ...requested, id, length, createdAt: new Date().toISOString() }, async () => undefined)
  }

  /** @throws UploadError `gone` if it existed once. */
  async #exists(id: string, desk: Desk): Promise<boolean> {
    return (
      (await unlessMissing(
        desk.use(id, async () => true),
        ['not_found'],
      )) ?? false
    )
  }

  /** @returns the length of the part. @throws UploadError if it cannot be a part of the final upload `final`. */
  async #usable(part: string, final: string, desk: Desk): Promise<number | null> {
    const record = await unlessMissing(desk.use(part, async (upload) => upload.record))
    if (record === undefined) throw new UploadError('part_gone', 'A part of Upload-Concat does not exist.')
    if (!record.partial) throw new UploadError('bad_request', 'Only partial uploads can be parts of Upload-Concat.')
    if (record.failed !== undefined) throw failureError(record.failed)
    const other = record.final
    if (other !== undefined && other !== final) {
      const taken = record.joined || (await unlessMissing(this.#uploads.use(other, async () => true))) !== undefined
      if (taken) throw new UploadError('part_taken', 'A part of Upload-Concat belongs to another final upload.')
    }
    return record.length
  }

  /** Called before each slow step: closing ends only running requests. @throws UploadError `stopping`. */
  #checkOpen(): void {
    if (this.#closed) throw stopping()
  }

  async #advance(id: string): Promise<void> {
    this.#checkOpen()
    try {
      await this.#uploads.use(id, (final) => this.#join(final, final.record.parts ?? []))
    } catch (error) {
      if (!(error instanceof UploadError) || TRANSIENT.has(error.code)) this.#retryLater(id)
      throw error
    }
  }

  async #join(final: Upload, parts: readonly string[]): Promise<void> {
    if (final.state === 'receiving') {
      const sealed = await this.#sealed(final, parts)
      if (sealed === undefined) return
      try {
        await this.#fill(final, sealed)
      } catch (error) {
        // The error may be that of a part: then the final upload has failed, and is not itself gone.
        if (error instanceof UploadError && MAY_BE_A_PART.has(error.code)) await this.#sealed(final, parts)
        throw error
      }
    }
    this.#checkOpen()
    try {
      await final.finish(MAX_WAIT, SCAN_WAIT)
    } catch (error) {
      // The bytes of its parts are no longer needed.
      if (error instanceof UploadError && error.code === 'rejected') await this.#discard(parts)
      throw error
    }
    await this.#discard(parts)
  }

  async #discard(parts: readonly string[]): Promise<void> {
    for (const part of parts) {
      await unlessMissing(this.#uploads.use(part, (upload) => upload.discardBytes()))
    }
  }

  /** The parts, if all of them are complete. */
  async #sealed(final: Upload, parts: readonly string[]): Promise<SealedPart[] | undefined> {
    const sealed: SealedPart[] = []
    let complete = true
    for (const id of parts) {
      const part = await unlessMissing(this.#uploads.use(id, async ({ state, record }) => ({ state, record })))
      if (part === undefined || part.state === 'failed' || part.state === 'gone') {
        const message = 'A part of this upload was deleted, expired, or failed.'
        await final.fail('part_gone', message)
        throw new UploadError('part_gone', message)
      }
      if (part.state !== 'sealed' || part.record.length === null) complete = false
      else sealed.push({ id, length: part.record.length })
    }
    return complete ? sealed : undefined
  }

  async #fill(final: Upload, parts: readonly SealedPart[]): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    if (final.record.length === null) {
      try {
        this.#uploads.checkSize(length)
      } catch (error) {
        if (error instanceof UploadError) await final.fail('too_large', error.message)
        throw error
      }
      await final.setLength(length)
    }
    let position = 0
    for (const { id, length } of parts) {
      if (final.offset === position && length > 0) await this.#uploads.use(id, (part) => final.absorb(part, position))
      position += length
      // The store cannot absorb this one: its bytes and those of the others are read.
      if (final.offset < position) break
    }
    const start = final.offset
    if (start >= length) return
    this.#checkOpen()
    const source = new PartsSource(parts, start, (id, range) => this.#uploads.use(id, async (part) => part.read(range)))
    try {
      await final.receiving.append({ start, end: length }, source, 'as-received')
    } finally {
      await source.close()
    }
  }

  #retryLater(id: string): void {
    if (this.#closed || this.#retries.has(id)) return
    const timer = setTimeout(() => {
      this.#retries.delete(id)
      this.advance(id).catch(() => undefined)
    }, RETRY_DELAY)
    timer.unref()
    this.#retries.set(id, timer)
  }
}

/** Notes in the record of a part which final upload it belongs to. @returns true. */
async function bind(part: Upload, final: string): Promise<true> {
  await part.update((record) => (record.final === final ? record : { ...record, final }))
  return true
}

/** The errors of a part that was deleted meanwhile. */
const MAY_BE_A_PART: ReadonlySet<string> = new Set(['gone', 'storage_error'])
/** Errors that may not occur again. */
const TRANSIENT: ReadonlySet<string> = new Set(['busy', 'scanning', 'no_space', 'storage_error', 'superseded'])
