import type { Claims } from './claims.ts'
import { stopping, UploadError } from './errors.ts'
import { pacer } from './pacer.ts'
import type { UploadRecord } from './record.ts'
import type { Departure, Store } from './store.ts'
import { Upload } from './upload.ts'

/** How many unused uploads are kept in memory. */
const MAX_IDLE_UPLOADS = 1_000

interface Entry {
  readonly upload: Promise<Upload>
  users: number
  /** Whether a request has used the upload since its closing began. */
  isUsed: boolean
  /** Set while the upload is being removed: until that is over, its id is neither free nor taken. */
  removing?: Promise<void>
}

/**
 * All uploads. There is one `Upload` object per id at any time, which keeps its state in one place. It stays in memory
 * while it is in use, and for some time afterwards.
 */
export class Uploads {
  readonly #store: Store
  readonly #claims: Claims
  readonly #maxSize: number
  readonly #entries = new Map<string, Entry>()
  /** Uploads created by a request that has not succeeded yet, with the record of their creation. */
  readonly #unconfirmed = new WeakMap<Upload, UploadRecord>()
  /** The running passes over all unfinished uploads. */
  readonly #rounds = new Set<Promise<unknown>>()
  #closed = false

  /** @param maxSize maximum length of an upload in bytes; `Infinity` for no limit. */
  constructor(store: Store, claims: Claims, maxSize: number) {
    this.#store = store
    this.#claims = claims
    this.#maxSize = maxSize
  }

  /**
   * Creates an upload and runs `work` on it.
   *
   * @throws UploadError `too_large`, `no_space`, `storage_error`, and what `work` throws.
   */
  async create<T>(record: UploadRecord, work: (upload: Upload) => Promise<T>): Promise<T> {
    return this.#withNew(record.id, () => this.#make(record), work)
  }

  /**
   * Creates an upload for a request that may still be refused, and runs `work` on it. If every request on it fails and
   * no byte counts, it is removed without a trace.
   *
   * @throws UploadError like `create`.
   */
  async createTentatively<T>(record: UploadRecord, work: (upload: Upload) => Promise<T>): Promise<T> {
    return this.#withNew(
      record.id,
      () => this.#makeTentative(record),
      async (upload) => {
        const result = await work(upload)
        this.#unconfirmed.delete(upload)
        return result
      },
    )
  }

  /**
   * Creates a finished upload whose bytes are all in memory, and runs `work` on it.
   *
   * @throws UploadError `too_large`, `no_space`, `storage_error`; then there is no such upload.
   */
  async createFinished<T>(
    record: UploadRecord,
    bytes: readonly Buffer[],
    work: (upload: Upload) => Promise<T>,
  ): Promise<T> {
    return this.#withNew(record.id, () => this.#makeFinished(record, bytes), work)
  }

  /**
   * Runs `work` on the upload of this id.
   *
   * @throws UploadError `not_found`, `gone`, and what `work` throws.
   */
  async use<T>(id: string, work: (upload: Upload) => Promise<T>): Promise<T> {
    return this.#with(id, () => this.#open(id), work)
  }

  /** @throws UploadError `too_large` if files of `length` bytes are not accepted. */
  checkSize(length: number | null): void {
    // The sum of parts can exceed the safe integers; a record with such a length could not be read back.
    const most = Math.min(this.#maxSize, Number.MAX_SAFE_INTEGER)
    if (length !== null && length > most) {
      throw new UploadError('too_large', `A file may have at most ${most} bytes.`)
    }
  }

  /** Removes tombstones from before `deadline`. @returns how many. */
  async forgetGone(deadline: Date): Promise<number> {
    return this.#round(async () => {
      let forgotten = 0
      for (const id of await this.#store.gone(deadline)) {
        if (this.#closed) break
        await this.#store.forget(id)
        forgotten += 1
      }
      return forgotten
    })
  }

  /** Ids of one group, without removed uploads. */
  group(group: string): Promise<readonly string[]> {
    return this.#store.group(group)
  }

  /** When the last byte of an upload arrived, or it was finished; the epoch if it does not exist. Opens nothing. */
  lastChange(id: string): Promise<Date> {
    return this.#store.lastChange(id)
  }

  /** Ids of the unfinished uploads, in no order. Uploads that are added or removed meanwhile may or may not appear. */
  unfinishedIds(): AsyncIterable<string> {
    return this.#store.unfinished()
  }

  /** Runs `work` on every unfinished upload in turn; those that cannot be opened are skipped. */
  async eachUnfinished(work: (upload: Upload) => Promise<void>): Promise<void> {
    await this.#round(async () => {
      for await (const id of this.#store.unfinished()) {
        if (this.#closed) return
        await this.#tryUse(id, work)
      }
    })
  }

  /**
   * Resumes finishing that a crash interrupted, in the background.
   *
   * @param also also called with every unfinished upload.
   */
  async resume(also: (upload: Upload) => Promise<void> = () => Promise.resolve()): Promise<void> {
    const pause = pacer()
    await this.eachUnfinished(async (upload) => {
      // Not awaited: the next upload need not wait for this one.
      upload.finish(0).catch(() => undefined)
      await also(upload)
      await pause()
    })
  }

  /** Removes unfinished uploads without a new byte since `deadline`. @returns how many. */
  async expire(deadline: Date): Promise<number> {
    return this.#round(async () => {
      let expired = 0
      const pause = pacer()
      for await (const id of this.#store.unfinished()) {
        if (this.#closed) break
        const isStale = await this.#isStale(id, deadline)
        if (isStale && (await this.#tryUse(id, (upload) => this.#expire(upload, deadline)))) expired += 1
        await pause()
      }
      return expired
    })
  }

  /**
   * Expires an upload, unless related uploads keep it: a part stays while its final upload can be created or read, and
   * a final upload while one of its parts receives bytes. A byte that reaches a part after this check is too late.
   *
   * @throws UploadError when a related upload cannot be read: it may still exist, so this one stays.
   */
  async #expire(upload: Upload, deadline: Date): Promise<boolean> {
    const { final, parts } = upload.record
    if (final !== undefined) {
      const state = await unlessMissing(this.use(final, async ({ state }) => state))
      if (state !== undefined && state !== 'failed' && state !== 'gone') return false
    }
    for (const id of parts ?? []) {
      const lastChange = await unlessMissing(this.use(id, (part) => part.lastChange()))
      if (lastChange !== undefined && lastChange >= deadline) return false
    }
    const expired = await upload.removeIfIdle(deadline)
    if (expired) await this.forgetJoined(parts ?? [], 'expired')
    return expired
  }

  /** Removes those of the parts whose bytes were in a final upload that is gone: nothing else would. */
  async forgetJoined(parts: readonly string[], why: Departure): Promise<void> {
    for (const id of parts) {
      await unlessMissing(this.use(id, async (part) => part.record.joined && part.remove(why)))
    }
  }

  /** Ends all running requests, keeping their bytes, and closes the store. */
  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#entries.values()].map(async (entry) => {
      await entry.removing
      const upload = await entry.upload.catch(() => undefined)
      await upload?.close(stopping())
    })
    await Promise.allSettled(open)
    this.#entries.clear()
    await Promise.allSettled(this.#rounds)
    await this.#store.close()
  }

  /** A pass over uploads: it ends early when the service stops, and the store is closed only after it. */
  async #round<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw stopping()
    const round = work()
    this.#rounds.add(round)
    try {
      return await round
    } finally {
      this.#rounds.delete(round)
    }
  }

  /** Checked before it is opened: most are not stale. */
  async #isStale(id: string, deadline: Date): Promise<boolean> {
    try {
      return (await this.#store.lastChange(id)) < deadline
    } catch (error) {
      // Skipped, like an upload that cannot be opened.
      if (error instanceof UploadError) return false
      throw error
    }
  }

  async #tryUse<T>(id: string, work: (upload: Upload) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.use(id, work)
    } catch (error) {
      // One upload that is gone or cannot be read must not block the others.
      if (error instanceof UploadError) return undefined
      throw error
    }
  }

  /** Like `#with`, for an upload that `open` may create. */
  async #withNew<T>(id: string, open: () => Promise<Upload>, work: (upload: Upload) => Promise<T>): Promise<T> {
    for (;;) {
      let opened = false
      try {
        return await this.#with(id, open, (upload) => {
          opened = true
          return work(upload)
        })
      } catch (error) {
        // Another call opened this id just before the upload existed, and this call has shared its result.
        if (opened || !(error instanceof UploadError) || error.code !== 'not_found') throw error
      }
    }
  }

  async #with<T>(id: string, open: () => Promise<Upload>, work: (upload: Upload) => Promise<T>): Promise<T> {
    for (let known = this.#entries.get(id); known?.removing !== undefined; known = this.#entries.get(id)) {
      await known.removing
    }
    if (this.#closed) throw stopping()
    const entry: Entry = this.#entries.get(id) ?? { upload: open(), users: 0, isUsed: false }
    entry.users += 1
    entry.isUsed = true
    // Set again to keep the map in order of last use.
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    let upload: Upload | undefined
    try {
      upload = await entry.upload
      return await work(upload)
    } finally {
      await this.#leave(id, entry, upload)
      if (this.#entries.size > MAX_IDLE_UPLOADS) this.#evict()
    }
  }

  async #leave(id: string, entry: Entry, upload: Upload | undefined): Promise<void> {
    entry.users -= 1
    if (entry.users > 0) return
    if (upload === undefined || upload.state === 'gone') this.#forget(id, entry)
    else await this.#release(id, entry, upload)
  }

  async #release(id: string, entry: Entry, upload: Upload): Promise<void> {
    if (!this.#isBlank(upload) || this.#closed) return upload.release()
    entry.removing = this.#removeRefused(id, entry, upload)
    await entry.removing
  }

  /** Whether the upload was created only for requests that were refused, and has nothing but its creation. */
  #isBlank(upload: Upload): boolean {
    const isUntouched = upload.state === 'receiving' && upload.received.length === 0
    return isUntouched && this.#unconfirmed.get(upload) === upload.record
  }

  /** Removes an upload that was created only for refused requests. */
  async #removeRefused(id: string, entry: Entry, upload: Upload): Promise<void> {
    entry.users += 1
    try {
      await upload.remove('refused')
    } catch {
      // The empty upload expires, or its removal is completed later.
    }
    entry.users -= 1
    delete entry.removing
    if (upload.state === 'gone') this.#forget(id, entry)
  }

  /** Closes the least recently used uploads in the background. */
  #evict(): void {
    let surplus = this.#entries.size - MAX_IDLE_UPLOADS
    for (const [id, entry] of this.#entries) {
      if (surplus <= 0) return
      if (entry.users > 0) continue
      surplus -= 1
      // A file that cannot be closed is tried again with the next eviction.
      this.#close(id, entry).catch(() => undefined)
    }
  }

  async #close(id: string, entry: Entry): Promise<void> {
    // Counts as used: the upload must not be opened again before this object is closed.
    entry.users += 1
    entry.isUsed = false
    let upload: Upload | undefined
    let isClosed = false
    try {
      upload = await entry.upload
      // A request that has used it meanwhile may have left something to close.
      isClosed = (await upload.close()) && !entry.isUsed
    } finally {
      if (isClosed) this.#forget(id, entry)
      else await this.#leave(id, entry, upload)
    }
  }

  #forget(id: string, entry: Entry): void {
    if (this.#entries.get(id) === entry) this.#entries.delete(id)
  }

  async #make(record: UploadRecord): Promise<Upload> {
    this.checkSize(record.length)
    return new Upload(await this.#store.create(record), this.#claims)
  }

  async #makeFinished(record: UploadRecord, bytes: readonly Buffer[]): Promise<Upload> {
    this.checkSize(record.length)
    return new Upload(await this.#store.createFinished(record, bytes), this.#claims)
  }

  async #open(id: string): Promise<Upload> {
    const found = await this.#store.open(id)
    if (found.kind === 'gone') throw new UploadError('gone', 'This upload is gone.')
    if (found.kind === 'unknown') throw new UploadError('not_found', 'There is no such upload.')
    return new Upload(found.upload, this.#claims)
  }

  async #makeTentative(record: UploadRecord): Promise<Upload> {
    const made = await this.#make(record)
    this.#unconfirmed.set(made, made.record)
    return made
  }
}

/** The result of `work`, or `undefined` if the upload does not exist, or no longer does. */
export async function unlessMissing<T>(work: Promise<T>, codes = ['not_found', 'gone']): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof UploadError && codes.includes(error.code)) return undefined
    throw error
  }
}
