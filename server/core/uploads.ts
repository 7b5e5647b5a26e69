import { ChargedStore } from './charged-store.ts'
import type { Claims } from './claims.ts'
import { SCAN_WAIT } from './deadline.ts'
import type { Decisions } from './decisions.ts'
import { Desk, type Reach } from './desk.ts'
import { notShared } from './errors.ts'
import type { Checks } from './gate.ts'
import { Headroom } from './headroom.ts'
import { Ledger } from './ledger.ts'
import { NewUploads } from './new-uploads.ts'
import { Departed, OpenUploads, Unknown, type Work } from './open-uploads.ts'
import type { Principal } from './principal.ts'
import type { UploadRecord } from './record.ts'
import type { Reports } from './report.ts'
import { ReportedStore } from './reported-store.ts'
import { sourceOf } from './source.ts'
import type { Space, Store, StoredUpload } from './store.ts'
import { Sweeps } from './sweeps.ts'
import { Upload } from './upload.ts'
import { checkUsable } from './upload-state.ts'

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

/** All uploads of a store: creates them, and finds or opens them for work. */
export class Uploads {
  /** Passes over all uploads in the background. */
  readonly sweeps: Sweeps
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #open: OpenUploads
  readonly #new: NewUploads
  /** Whether a gate has to pass each file. */
  readonly #hasGate: boolean

  /**
   * @param maxSize maximum length of an upload in bytes; `Infinity` for no limit.
   * @param guards what uploads are charged to, and what their files must pass.
   */
  constructor(store: Store, claims: Claims, maxSize: number, guards: Guards = {}) {
    const { ledger = new Ledger(), headroom = new Headroom(() => store.space(), 0, 0), checks = {} } = guards
    const { reports, decisions = {}, folder = '' } = guards
    const reported = reports === undefined ? store : new ReportedStore(store, reports)
    this.#store = new ChargedStore(reported, ledger, headroom)
    this.#ledger = ledger
    this.#hasGate = checks.gate !== undefined
    const uploadOf = (stored: StoredUpload): Upload => new Upload(stored, claims, checks, decisions)
    this.#open = new OpenUploads(this.#store, uploadOf)
    const rules = { maxSize, checks, decisions, folder }
    this.#new = new NewUploads(this.#store, rules, uploadOf, (id) => this.#open.isFree(id))
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
    return this.#open.useNew(record.id, () => this.#new.make(record), work, principal)
  }

  /**
   * Creates an upload for a request that may still be refused, and runs `work` on it. If every request on it fails and
   * no byte counts, it is removed without a trace.
   *
   * @throws UploadError like `create`.
   */
  async createTentatively<T>(record: UploadRecord, work: Work<T>, principal?: Principal): Promise<T> {
    return this.#open.useTentative(record.id, () => this.#new.make(record, true), work, principal)
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
    if (!this.#hasGate) {
      const usable = (upload: Upload): Promise<T> => {
        checkUsable(upload)
        return work(upload)
      }
      return this.#open.useNew(record.id, () => this.#new.makeFinished(record, bytes), usable, principal)
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
        return await this.use(source, (from) => this.#new.makeFrom(record, from))
      } catch (error) {
        throw error instanceof Unknown || error instanceof Departed ? notShared() : error
      }
    }
    return this.#open.useNew(record.id, make, work, principal)
  }

  /** Runs `work` on the upload of this id: see `OpenUploads.use`. */
  use<T>(id: string, work: Work<T>, principal?: Principal): Promise<T> {
    return this.#open.use(id, work, principal)
  }

  /** Waits until a principal may create an upload: see `Ledger.admit`. */
  admit(record: UploadRecord, principal: Principal): Promise<() => void> {
    return this.#ledger.admit(record, principal.limits)
  }

  /** Waits until an admitted upload may be created: see `Ledger.enter`. */
  enter(record: UploadRecord): Promise<() => void> {
    return this.#ledger.enter(record)
  }

  /** Asks the application whether an upload may be created: see `NewUploads.asked`. */
  asked(record: UploadRecord, principal: Principal): Promise<UploadRecord> {
    return this.#new.asked(record, principal)
  }

  /** @throws UploadError `too_large` if files of `length` bytes are not accepted. */
  checkSize(length: number | null): void {
    this.#new.checkSize(length)
  }

  /**
   * @param narrower types that are further limits.
   * @throws UploadError `type_not_allowed` if files of this name are not accepted.
   */
  checkType(record: UploadRecord, narrower?: readonly string[]): void {
    this.#new.checkType(record, narrower)
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
    return this.#open.peek(id)
  }

  /** The uploads that are open. */
  opened(): Generator<Upload> {
    return this.#open.opened()
  }

  /** Ids of one group, without removed uploads. */
  group(group: string): Promise<readonly string[]> {
    return this.#store.group(group)
  }

  /** The ids with this start that changed last: see `Store.newest`. */
  newest(start: string, most: number): Promise<readonly string[]> {
    return this.#store.newest(start, most)
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
    const ended = this.#open.end()
    this.#new.end()
    const swept = this.sweeps.close()
    await ended
    await swept
  }

  /** Ends all running requests, and closes the store. */
  async close(): Promise<void> {
    await this.end()
    await this.#store.close()
  }
}
