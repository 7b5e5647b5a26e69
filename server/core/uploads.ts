import { applicationUnavailable, Refusal } from './answer.ts'
import { ChargedStore } from './charged-store.ts'
import type { Claims } from './claims.ts'
import { changedBy, placedBy, taken } from './creation-changes.ts'
import { addAnswer } from './current-request.ts'
import { MAX_WAIT, SCAN_WAIT } from './deadline.ts'
import type { Decisions } from './decisions.ts'
import { Desk, type Reach } from './desk.ts'
import { moved, notShared, stopping, UploadError } from './errors.ts'
import { isFinal, reasonOf } from './failure.ts'
import { fingerprintOfBytes } from './fingerprint.ts'
import { folderByTemplate } from './folder.ts'
import type { Checks } from './gate.ts'
import { Headroom } from './headroom.ts'
import { answerOf } from './inspection.ts'
import { Ledger } from './ledger.ts'
import { isAccessible, type Principal } from './principal.ts'
import { isUploadId, type UploadRecord } from './record.ts'
import type { Reports } from './report.ts'
import { ReportedStore } from './reported-store.ts'
import { sourceOf } from './source.ts'
import type { Space, Store, StoredUpload } from './store.ts'
import { Sweeps } from './sweeps.ts'
import { needsTypeCheck } from './type-check.ts'
import { checkUsable, Upload } from './upload.ts'

type Work<T> = (upload: Upload) => Promise<T>

/** What protects the space and the readers of a store. */
export interface Guards {
  /** Is charged for all uploads. By default it limits nothing. */
  readonly ledger?: Ledger | undefined
  /** The space that stays free; none by default. */
  readonly headroom?: Headroom
  /** What a file must pass before it becomes visible; nothing by default. */
  readonly checks?: Checks
  /** Where events go; nowhere by default. */
  readonly reports?: Reports | undefined
  /** Those of the application; by default it decides nothing. */
  readonly decisions?: Decisions | undefined
  /** The template of the folders of finished files, as `templateProblem` accepts it; none by default. */
  readonly folder?: string | undefined
}

/** What an index reads of a store: nothing is opened or changed. */
export type Catalog = Pick<
  Store,
  | 'isShared'
  | 'partitions'
  | 'partition'
  | 'summary'
  | 'lastChange'
  | 'gone'
  | 'goneSince'
  | 'pathOf'
  | 'objectOf'
  | 'space'
>

interface Entry {
  readonly upload: Promise<Upload>
  /** The upload, once it is open. */
  opened?: Upload
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
  /** Passes over all uploads in the background. */
  readonly sweeps: Sweeps
  readonly #store: Store
  readonly #claims: Claims
  readonly #maxSize: number
  readonly #ledger: Ledger
  readonly #checks: Checks
  readonly #decisions: Decisions
  readonly #folder: string
  readonly #entries = new Map<string, Entry>()
  /** Uploads created by a request that has not succeeded yet, with the record of their creation. */
  readonly #unconfirmed = new WeakMap<Upload, UploadRecord>()
  /** Those to the application about files that are created at once. */
  readonly #questions = new Set<AbortController>()
  #closed = false

  /**
   * @param maxSize maximum length of an upload in bytes; `Infinity` for no limit.
   * @param guards what uploads are charged to, and what their files must pass.
   */
  constructor(store: Store, claims: Claims, maxSize: number, guards: Guards = {}) {
    const { ledger = new Ledger(), headroom = new Headroom(() => store.space(), 0, 0), checks = {} } = guards
    const { reports, decisions = {}, folder = '' } = guards
    const reported = reports === undefined ? store : new ReportedStore(store, reports)
    this.#store = new ChargedStore(reported, ledger, headroom)
    this.#claims = claims
    this.#maxSize = maxSize
    this.#ledger = ledger
    this.#checks = checks
    this.#decisions = decisions
    this.#folder = folder
    this.sweeps = new Sweeps(this.#store, (id, work) => this.use(id, work))
  }

  /** The uploads as a principal sees them. @param reach learns which ones a request reaches. */
  for(principal: Principal, reach?: Reach): Desk {
    this.#ledger.noteQuota(principal)
    return new Desk(this, principal, reach)
  }

  /**
   * Creates an upload and runs `work` on it.
   *
   * @throws UploadError `too_large`, `type_not_allowed`, `no_space`, `storage_error`, and what `work` throws.
   */
  async create<T>(record: UploadRecord, work: Work<T>, principal?: Principal): Promise<T> {
    return this.#withNew(record.id, () => this.#make(record), work, principal, true)
  }

  /**
   * Creates an upload for a request that may still be refused, and runs `work` on it. If every request on it fails and
   * no byte counts, it is removed without a trace.
   *
   * @throws UploadError like `create`.
   */
  async createTentatively<T>(record: UploadRecord, work: Work<T>, principal?: Principal): Promise<T> {
    const confirmed = async (upload: Upload): Promise<T> => {
      const result = await work(upload)
      this.#unconfirmed.delete(upload)
      return result
    }
    return this.#withNew(record.id, () => this.#makeTentative(record), confirmed, principal, false)
  }

  /**
   * Creates a finished upload whose bytes are all in memory, and runs `work` on it. If a gate has to pass the file, it
   * may still be pending then. If the application rejects it, the upload has failed.
   *
   * @throws UploadError `too_large`, `type_not_allowed`, `no_space`, `storage_error`, `application_unavailable`; then
   * there is no such upload.
   */
  async createFinished<T>(
    record: UploadRecord,
    bytes: readonly Buffer[],
    work: Work<T>,
    principal?: Principal,
  ): Promise<T> {
    if (this.#checks.gate === undefined) {
      const usable = (upload: Upload): Promise<T> => {
        checkUsable(upload)
        return work(upload)
      }
      return this.#withNew(record.id, () => this.#makeFinished(record, bytes), usable, principal, true)
    }
    return this.create(
      record,
      async (upload) => {
        await upload.receiving.append({ start: 0, end: record.length ?? 0 }, sourceOf(bytes), 'as-received')
        await upload.settle(SCAN_WAIT)
        return work(upload)
      },
      principal,
    )
  }

  /**
   * Creates an upload with the bytes of a finished one, whatever its owner, and runs `work` on it.
   *
   * @param source the id of the finished upload.
   * @throws UploadError like `create`, and `not_found` if the bytes cannot be had.
   */
  async createFrom<T>(record: UploadRecord, source: string, work: Work<T>, principal?: Principal): Promise<T> {
    const make = async (): Promise<Upload> => {
      try {
        return await this.use(source, (from) => this.#makeFrom(record, from))
      } catch (error) {
        throw error instanceof Unknown || error instanceof Departed ? notShared() : error
      }
    }
    return this.#withNew(record.id, make, work, principal, true)
  }

  /**
   * Runs `work` on the upload of this id.
   *
   * @param principal whose request this is; without one, `work` is internal.
   * @throws UploadError `not_found`, also if the upload does not exist for the principal; `gone`, and what `work`
   * throws.
   */
  async use<T>(id: string, work: Work<T>, principal?: Principal): Promise<T> {
    return this.#with(id, () => this.#open(id), work, principal)
  }

  /** Waits until a principal may create an upload: see `Ledger.admit`. */
  admit(record: UploadRecord, principal: Principal): Promise<() => void> {
    return this.#ledger.admit(record, principal.limits)
  }

  /** Waits until an admitted upload may be created: see `Ledger.enter`. */
  enter(record: UploadRecord): Promise<() => void> {
    return this.#ledger.enter(record)
  }

  /**
   * Asks the application whether an upload may be created.
   *
   * @returns its record, with what the application changes, and the folder of its file.
   * @throws UploadError the refusal of the application; `internal` if it has chosen an id or a place that cannot be
   * used.
   */
  async asked(record: UploadRecord, principal: Principal): Promise<UploadRecord> {
    if (this.#decisions.beforeCreate === undefined) return this.#placed(record)
    const { changes = {}, answer } = (await this.#decisions.beforeCreate(record, principal)) ?? {}
    addAnswer(answer)
    const changed = placedBy(changes, this.#placed(changedBy(changes, record)))
    if (changed.id !== record.id) await this.#checkFree(changed.id)
    this.checkType(changed, principal.limits.types)
    return changed
  }

  /** @throws UploadError `too_large` if files of `length` bytes are not accepted. */
  checkSize(length: number | null): void {
    // The sum of parts can exceed the safe integers; a record with such a length could not be read back.
    const most = Math.min(this.#maxSize, this.#store.maxLength, Number.MAX_SAFE_INTEGER)
    if (length !== null && length > most) {
      throw new UploadError('too_large', `A file may have at most ${most} bytes.`)
    }
  }

  /**
   * @param narrower types that are further limits.
   * @throws UploadError `type_not_allowed` if files of this name are not accepted.
   */
  checkType({ fileName, partial }: UploadRecord, narrower?: readonly string[]): void {
    // A part never becomes a file; the name of its final upload is checked.
    if (!partial) this.#checks.types?.checkName(fileName, narrower)
  }

  /** What is free in the store. @throws UploadError `storage_error`. */
  space(): Promise<Space> {
    return this.#store.space()
  }

  /** Whether other processes use the same uploads. */
  get isShared(): boolean {
    return this.#store.isShared
  }

  /** The store, for reading only. */
  get catalog(): Catalog {
    return this.#store
  }

  /** The upload of this id, if it is open. Its state may change, and it may be closed at any time. */
  peek(id: string): Upload | undefined {
    const { opened, removing } = this.#entries.get(id) ?? {}
    return removing === undefined && !opened?.isMoved ? opened : undefined
  }

  /** The uploads that are open. */
  *opened(): Generator<Upload> {
    for (const { opened } of this.#entries.values()) if (opened !== undefined && !opened.isMoved) yield opened
  }

  /** Ids of one group, without removed uploads. */
  group(group: string): Promise<readonly string[]> {
    return this.#store.group(group)
  }

  /** When the last byte of an upload arrived, or it was finished; the epoch if it does not exist. Opens nothing. */
  lastChange(id: string): Promise<Date> {
    return this.#store.lastChange(id)
  }

  /** Where a program of this host finds the file of an upload when it is finished, if it is a file. */
  finalPathOf(record: UploadRecord): string | undefined {
    return this.#store.pathOf(record, true)
  }

  /** Ids of the unfinished uploads, in no order. Uploads that are added or removed meanwhile may or may not appear. */
  async *unfinishedIds(): AsyncGenerator<string> {
    for await (const { id } of this.#store.unfinished()) yield id
  }

  /** Ids of all uploads, or of those that are or are not finished, as `unfinishedIds` does. */
  async *ids(isFinished?: boolean): AsyncGenerator<string> {
    if (isFinished === false) return yield* this.unfinishedIds()
    for (const partition of await this.#store.partitions()) {
      for (const id of await this.#store.partition(partition)) {
        if (isFinished === undefined || (await this.#store.summary(id))?.finished) yield id
      }
    }
  }

  /** Ends all running requests, keeping their bytes; uploads change no more. */
  async end(): Promise<void> {
    this.#closed = true
    for (const question of this.#questions) question.abort(stopping())
    const swept = this.sweeps.close()
    const open = [...this.#entries.values()].map(async (entry) => {
      await entry.removing
      const upload = await entry.upload.catch(() => undefined)
      await upload?.close(stopping())
    })
    await Promise.allSettled(open)
    this.#entries.clear()
    await swept
  }

  /** Ends all running requests, and closes the store. */
  async close(): Promise<void> {
    await this.end()
    await this.#store.close()
  }

  /**
   * Like `#with`, for an upload that `open` may create.
   *
   * @param isExclusive whether only an upload that `open` has created will do.
   */
  async #withNew<T>(
    id: string,
    open: () => Promise<Upload>,
    work: Work<T>,
    principal: Principal | undefined,
    isExclusive: boolean,
  ): Promise<T> {
    for (;;) {
      let opened = false
      let isOwn = false
      const openOwn = (): Promise<Upload> => {
        isOwn = true
        return open()
      }
      const begun = (upload: Upload): Promise<T> => {
        opened = true
        if (isExclusive && !isOwn) throw taken(id)
        return work(upload)
      }
      try {
        return await this.#with(id, openOwn, begun, principal)
      } catch (error) {
        // Another call opened this id just before the upload existed, and this call has shared its result.
        if (opened || !(error instanceof Unknown)) throw error
      }
    }
  }

  async #with<T>(id: string, open: () => Promise<Upload>, work: Work<T>, principal: Principal | undefined): Promise<T> {
    for (;;) {
      for (let known = this.#entries.get(id); known?.removing !== undefined; known = this.#entries.get(id)) {
        await known.removing
      }
      if (this.#closed) throw stopping()
      const known = this.#entries.get(id)
      const entry: Entry = known ?? { upload: open(), users: 0, isUsed: false }
      entry.users += 1
      entry.isUsed = true
      // Set again to keep the map in order of last use.
      this.#entries.delete(id)
      this.#entries.set(id, entry)
      let upload: Upload | undefined
      try {
        upload = await entry.upload
        entry.opened = upload
        if (upload.isMoved) continue
        if (principal !== undefined && !isAccessible(principal, id, upload.record.owner)) throw hidden()
        return await work(upload)
      } catch (error) {
        // Where there are other nodes, it may have been created since that opening began.
        if (error instanceof Unknown && upload === undefined && known !== undefined) {
          this.#forget(id, entry)
          continue
        }
        if (principal === undefined || !(error instanceof Departed)) throw error
        throw isAccessible(principal, id, error.owner) ? error : hidden()
      } finally {
        if (upload?.isMoved) this.#drop(id, entry, upload)
        await this.#leave(id, entry, upload)
        if (this.#entries.size > this.#store.idleKept) this.#evict()
      }
    }
  }

  async #leave(id: string, entry: Entry, upload: Upload | undefined): Promise<void> {
    entry.users -= 1
    if (entry.users > 0) return
    if (upload === undefined || upload.state === 'gone') this.#forget(id, entry)
    else if (!upload.isMoved) await this.#release(id, entry, upload)
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

  /** Ends the requests of an object that must not be used any more. The upload is opened again after that. */
  #drop(id: string, entry: Entry, upload: Upload): void {
    if (entry.removing !== undefined || this.#entries.get(id) !== entry) return
    const close = async (): Promise<void> => {
      await upload.close(moved()).catch(() => undefined)
      delete entry.removing
      this.#forget(id, entry)
    }
    entry.removing = close()
  }

  /** Closes the least recently used uploads in the background. */
  #evict(): void {
    let surplus = this.#entries.size - this.#store.idleKept
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

  async #make(record: UploadRecord, isTentative = false): Promise<Upload> {
    this.checkSize(record.length)
    this.checkType(record)
    return this.#uploadOf(await this.#store.create(record, isTentative))
  }

  async #makeFrom(record: UploadRecord, source: Upload): Promise<Upload> {
    this.checkSize(record.length)
    this.checkType(record)
    return this.#uploadOf(await source.createCopy(this.#store, record))
  }

  async #makeFinished(wanted: UploadRecord, bytes: readonly Buffer[]): Promise<Upload> {
    this.checkSize(wanted.length)
    this.checkType(wanted)
    await this.#checkStart(wanted, bytes)
    const record = this.#checks.fingerprints
      ? { ...wanted, fingerprint: fingerprintOfBytes(Buffer.concat(bytes)) }
      : wanted
    const prepare = this.#decisions.beforeFinish && (async () => ({ record: await this.#decided(record) }))
    return this.#uploadOf(await this.#store.createFinished(record, bytes, prepare))
  }

  /**
   * Asks the application about a file that is created at once.
   *
   * @returns the record with what it says.
   * @throws UploadError `application_unavailable`, `stopping`.
   */
  async #decided(record: UploadRecord): Promise<UploadRecord> {
    const facts = { record, offset: record.length ?? 0, path: this.#store.pathOf(record, false) }
    const question = new AbortController()
    this.#questions.add(question)
    const timer = setTimeout(() => question.abort(applicationUnavailable(undefined)), MAX_WAIT)
    try {
      const answer = await answerOf(this.#decisions, facts, question.signal)
      return answer === undefined ? record : { ...record, answer }
    } catch (error) {
      if (error instanceof Refusal && isFinal(error)) return { ...record, failed: reasonOf(error) }
      throw error instanceof UploadError ? error : applicationUnavailable(error)
    } finally {
      clearTimeout(timer)
      this.#questions.delete(question)
    }
  }

  async #open(id: string): Promise<Upload> {
    const found = await this.#store.open(id)
    if (found.kind === 'gone') throw new Departed(found.owner)
    if (found.kind === 'unknown') throw new Unknown()
    return this.#uploadOf(found.upload)
  }

  /** The place of a file never changes: a later setting must not move it. */
  #placed(record: UploadRecord): UploadRecord {
    const folder = record.partial ? undefined : folderByTemplate(this.#folder, record)
    return folder === undefined ? record : { ...record, folder }
  }

  /** @throws UploadError `internal` if no upload can have this id. */
  async #checkFree(id: string): Promise<void> {
    const isKnown = this.#entries.has(id)
    if (!isUploadId(id) || isKnown || (await this.#store.open(id)).kind !== 'unknown') throw taken(id)
  }

  async #checkStart(record: UploadRecord, bytes: readonly Buffer[]): Promise<void> {
    const { types } = this.#checks
    if (types === undefined || !needsTypeCheck(record, types)) return
    await types.checkStart(record.fileName, Buffer.concat(bytes).subarray(0, types.startLength))
  }

  async #makeTentative(record: UploadRecord): Promise<Upload> {
    const made = await this.#make(record, true)
    this.#unconfirmed.set(made, made.record)
    return made
  }

  #uploadOf(stored: StoredUpload): Upload {
    return new Upload(stored, this.#claims, this.#checks, this.#decisions)
  }
}

/** The error of an upload of which only a tombstone is left. */
class Departed extends UploadError {
  readonly owner: string | undefined

  constructor(owner: string | undefined) {
    super('gone', 'This upload is gone.')
    this.owner = owner
  }
}

/** The error of an unknown id. */
class Unknown extends UploadError {
  constructor() {
    super('not_found', 'There is no such upload.')
  }
}

/** The error of an upload that does not exist for the principal: like that of an unknown id. */
function hidden(): UploadError {
  return new UploadError('not_found', new Unknown().message)
}
