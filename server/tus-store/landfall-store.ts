import type { Readable } from 'node:stream'
import { DataStore, type Locker, Upload as TusUpload } from '@tus/utils'
import { cautiousTime } from '../core/cautious-time.ts'
import { stopping, UploadError } from '../core/errors.ts'
import { idleSince } from '../core/idle-since.ts'
import { newRecord, type UploadRecord } from '../core/record.ts'
import type { Upload } from '../core/upload.ts'
import type { Uploads } from '../core/uploads.ts'
import type { Step } from '../disk/environment.ts'
import { openStore } from '../open-store.ts'
import { endIfWhole } from '../protocol/intake.ts'
import { checkOptions, type LandfallStoreOptions } from './options.ts'
import { responseStream } from './response-stream.ts'
import { StreamSource } from './stream-source.ts'
import { TusError, tusError } from './tus-error.ts'
import { uploadIdOf } from './upload-id.ts'

export type { LandfallStoreOptions } from './options.ts'

/** How long the id of a deleted upload answers 410, in milliseconds. */
const TOMBSTONE_LIFETIME = 7 * 24 * 60 * 60 * 1000

/**
 * A data store for @tus/server. A file that is complete is moved to `<directory>/files/<id>/<name>` at once, and
 * nothing that was acknowledged is lost in a crash.
 */
export class LandfallStore extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'creation-defer-length', 'termination', 'expiration']
  /**
   * A locker that never waits. The store ends an older PATCH itself when a newer one arrives; with the default locker of
   * @tus/server, the newer one would wait for seconds.
   */
  readonly locker: Locker = {
    newLock: () => ({ lock: () => Promise.resolve(), unlock: () => Promise.resolve() }),
  }
  readonly #options: LandfallStoreOptions
  readonly #onStep: (step: Step) => void
  readonly #expiresAfter: number
  readonly #warn: (sentence: string, cause?: unknown) => void
  readonly #now = cautiousTime()
  #opened: Promise<Uploads> | undefined
  #isClosed = false

  /**
   * Opens nothing yet: see `open`.
   *
   * @param onStep called after each step of the disk store; tests stop the program there.
   * @throws TypeError with a sentence for the developer when an option is wrong.
   */
  constructor(options: LandfallStoreOptions, onStep: (step: Step) => void = () => undefined) {
    super()
    checkOptions(options)
    this.#options = options
    this.#onStep = onStep
    this.#expiresAfter = (options.expiresAfter ?? 0) * 1000
    this.#warn = options.warn ?? warnOfProcess
  }

  /**
   * Takes the data directory, and resumes what a crash interrupted. Without this call, the first request does it, and is
   * refused if it fails.
   *
   * @throws Error with a sentence for the operator when the directory cannot be used or belongs to a running process.
   */
  async open(): Promise<this> {
    await this.#uploads()
    return this
  }

  /** Ends running requests, keeping their bytes, and releases the data directory. The store cannot be opened again. */
  async close(): Promise<void> {
    this.#isClosed = true
    const uploads = await this.#opened?.catch(() => undefined)
    await uploads?.close()
  }

  override async create(upload: TusUpload): Promise<TusUpload> {
    const { id, size, metadata = {}, creation_date: createdAt = new Date().toISOString() } = upload
    const record = { ...newRecord({ length: size ?? null, metadata }), id: uploadIdOf(id), createdAt }
    await this.#run(async (uploads) => {
      await createNew(uploads, record, async (created) => {
        // No request with bytes follows the creation of an empty file.
        await created.finish()
        upload.storage = storageOf(uploads, created)
      })
    })
    return upload
  }

  /** Resolves when the bytes count; after the last one, when the file is in its place, as durable as `sync` demands. */
  override write(stream: Readable, id: string, offset: number): Promise<number> {
    return this.#use(id, async (upload) => {
      const { length, parts } = upload.record
      if (parts !== undefined) {
        throw new UploadError('final_upload', 'A final upload consists of its parts and accepts no data.')
      }
      const end = length ?? this.#options.maxSize ?? Number.POSITIVE_INFINITY
      await upload.receiving.append({ start: offset, end }, new StreamSource(stream), 'as-received')
      await endIfWhole(upload)
      await upload.finish()
      return upload.offset
    })
  }

  /** While an upload expires, its `creation_date` is when its last byte arrived: @tus/server counts from there. */
  override getUpload(id: string): Promise<TusUpload> {
    return this.#use(
      id,
      async (upload) => {
        await upload.receiving.catchUp()
        await endIfWhole(upload)
        await upload.finish()
        return this.#viewOf(id, upload)
      },
      true,
    )
  }

  override declareUploadLength(id: string, length: number): Promise<void> {
    return this.#run((uploads) => {
      uploads.checkSize(length)
      return uploads.use(uploadIdOf(id), (upload) => upload.setLength(length))
    })
  }

  override remove(id: string): Promise<void> {
    return this.#run(async (uploads) => {
      const parts = await uploads.use(uploadIdOf(id), async (upload) => {
        await upload.remove('deleted')
        return upload.record.parts ?? []
      })
      await uploads.sweeps.forgetJoined(parts, 'deleted')
    })
  }

  /** The received bytes, from 0 on. */
  async read(id: string): Promise<Readable> {
    const bytes = await this.#use(id, async (upload) => upload.read({ start: 0, end: upload.offset }))
    return responseStream(bytes)
  }

  /** Removes expired uploads. @returns how many. */
  override deleteExpired(): Promise<number> {
    return this.#run(async (uploads) => {
      await uploads.sweeps.forgetGone(new Date(this.#now() - TOMBSTONE_LIFETIME))
      if (this.#expiresAfter === 0) return 0
      return uploads.sweeps.expire(new Date(this.#now() - this.#expiresAfter))
    })
  }

  /** Milliseconds; 0 if uploads do not expire. */
  override getExpiration(): number {
    return this.#expiresAfter
  }

  async #viewOf(id: string, upload: Upload): Promise<TusUpload> {
    const { length, metadata } = upload.record
    const view = new TusUpload({
      id,
      offset: upload.offset,
      storage: storageOf(await this.#uploads(), upload),
      ...(length !== null && { size: length }),
      ...(Object.keys(metadata).length > 0 && { metadata: { ...metadata } }),
    })
    view.creation_date = await this.#creationDateOf(upload)
    return view
  }

  /** @returns nothing for an upload that does not expire: @tus/server would answer 410 for a finished one, too. */
  async #creationDateOf(upload: Upload): Promise<string | undefined> {
    if (this.#expiresAfter === 0) return upload.record.createdAt
    return (await idleSince(upload))?.toISOString()
  }

  #use<T>(id: string, work: (upload: Upload) => Promise<T>, isLookup = false): Promise<T> {
    return this.#run((uploads) => uploads.use(uploadIdOf(id), work), isLookup)
  }

  /** @param isLookup whether a HEAD may receive the error. @throws what @tus/server expects. */
  async #run<T>(work: (uploads: Uploads) => Promise<T>, isLookup = false): Promise<T> {
    try {
      const uploads = await this.#uploads().catch((error: unknown) => {
        throw unavailable(error)
      })
      return await work(uploads)
    } catch (error) {
      const cause = hiddenIn(error)
      if (cause !== undefined) this.#warn(cause instanceof Error ? cause.message : String(cause), cause)
      throw tusError(error, isLookup)
    }
  }

  #uploads(): Promise<Uploads> {
    if (this.#isClosed) return Promise.reject(stopping())
    // After a failure, the next request tries again.
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #open(): Promise<Uploads> {
    const { directory, sync = 'finish', maxSize } = this.#options
    const uploads = await openStore({
      directory,
      sync,
      ...(maxSize !== undefined && { maxSize }),
      onNotice: (sentence) => this.#warn(sentence),
      onStep: this.#onStep,
    })
    uploads.sweeps.resume().catch((error: unknown) => {
      if (hiddenIn(error) !== undefined) this.#warn('Resuming unfinished work failed.', error)
    })
    return uploads
  }
}

/** @throws TusError 409 if there is an upload with this id: nothing is overwritten. */
async function createNew(
  uploads: Uploads,
  record: UploadRecord,
  work: (upload: Upload) => Promise<void>,
): Promise<void> {
  let isCreated = false
  try {
    await uploads.create(record, (upload) => {
      isCreated = true
      return work(upload)
    })
  } catch (error) {
    const isTaken = !isCreated && (await uploads.use(record.id, async () => true).catch(() => false))
    throw isTaken ? new TusError(409, 'There already is an upload with this id.', error) : error
  }
}

/** Where the file is when it is finished: handlers of @tus/server read the path that was current before. */
function storageOf(uploads: Uploads, { record }: Upload): NonNullable<TusUpload['storage']> {
  return { type: 'file', path: uploads.finalPathOf(record) ?? '' }
}

/** The error for a client while the data directory cannot be used. */
function unavailable(error: unknown): UploadError {
  if (error instanceof UploadError) return error
  return new UploadError('storage_error', 'The storage is not available; try again later.', { cause: error })
}

/** The part of an error that the client does not see. */
function hiddenIn(error: unknown): unknown {
  if (error instanceof TusError) return undefined
  return error instanceof UploadError ? error.cause : error
}

function warnOfProcess(sentence: string, cause?: unknown): void {
  process.emitWarning(sentence, { type: 'Landfall', ...(cause instanceof Error && { detail: cause.stack ?? '' }) })
}
