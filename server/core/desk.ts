import { UploadError } from './errors.ts'
import type { Principal } from './principal.ts'
import type { UploadRecord } from './record.ts'
import type { Upload } from './upload.ts'

type Work<T> = (upload: Upload) => Promise<T>

/** Called when a request reaches an upload. @returns a function to call when its work on it has ended, if any. */
export type Reach = (id: string) => (() => void) | undefined

/** What a desk needs of `Uploads`. */
interface Registry {
  use<T>(id: string, work: Work<T>, principal: Principal): Promise<T>
  create<T>(record: UploadRecord, work: Work<T>, principal: Principal): Promise<T>
  createTentatively<T>(record: UploadRecord, work: Work<T>, principal: Principal): Promise<T>
  createFinished<T>(record: UploadRecord, bytes: readonly Buffer[], work: Work<T>, principal: Principal): Promise<T>
  createFrom<T>(record: UploadRecord, source: string, work: Work<T>, principal: Principal): Promise<T>
  checkSize(length: number | null): void
  checkType(record: UploadRecord, narrower?: readonly string[]): void
  admit(record: UploadRecord, principal: Principal): Promise<() => void>
  asked(record: UploadRecord, principal: Principal): Promise<UploadRecord>
  enter(record: UploadRecord): Promise<() => void>
}

/**
 * The uploads as one principal sees them: those of others do not exist. Handlers of requests reach uploads only through
 * a desk, so that no handler can forget the check.
 */
export class Desk {
  readonly principal: Principal
  readonly #uploads: Registry
  readonly #reach: Reach | undefined

  constructor(uploads: Registry, principal: Principal, reach?: Reach) {
    this.#uploads = uploads
    this.principal = principal
    this.#reach = reach
  }

  /**
   * Runs `work` on the upload of this id. Before that, nothing about the upload changes.
   *
   * @throws UploadError `not_found` also for an upload of another owner, removed or not; `gone`, and what `work` throws.
   */
  use<T>(id: string, work: Work<T>): Promise<T> {
    const reach = this.#reach
    if (reach === undefined) return this.#uploads.use(id, work, this.principal)
    const reached = (upload: Upload): Promise<T> => {
      const leave = reach(id)
      return leave === undefined ? work(upload) : work(upload).finally(leave)
    }
    return this.#uploads.use(id, reached, this.principal)
  }

  /**
   * Like `use`, for a request whose response tells the state of the upload: see `StoredUpload.confirm`. An upload that
   * another node has used meanwhile is reopened.
   *
   * @throws UploadError like `use`, and `moved`.
   */
  async report<T>(id: string, work: Work<T>): Promise<T> {
    let isConfirmed = false
    const confirmed = async (upload: Upload): Promise<T> => {
      await upload.confirm()
      isConfirmed = true
      return work(upload)
    }
    try {
      return await this.use(id, confirmed)
    } catch (error) {
      const isOutdated = error instanceof UploadError && error.code === 'moved' && !isConfirmed
      if (!isOutdated) throw error
      return this.use(id, confirmed)
    }
  }

  /**
   * Like `Uploads.create`, as an upload of the principal.
   *
   * @throws UploadError also `forbidden`, `too_large`, `type_not_allowed`, and what `Ledger.admit` and `Uploads.asked`
   * throw.
   */
  async create<T>(record: UploadRecord, work: Work<T>): Promise<T> {
    return this.#admitted(record, work, (own, begun) => this.#uploads.create(own, begun, this.principal))
  }

  /** Like `Uploads.createTentatively`, as an upload of the principal. @throws UploadError like `create`. */
  async createTentatively<T>(record: UploadRecord, work: Work<T>): Promise<T> {
    return this.#admitted(record, work, (own, begun) => this.#uploads.createTentatively(own, begun, this.principal))
  }

  /**
   * Like `Uploads.createFinished`, as an upload of the principal.
   *
   * @param read reads the bytes: not before the upload may be created.
   * @throws UploadError like `create`, and what `read` throws.
   */
  async createFinished<T>(record: UploadRecord, read: () => Promise<readonly Buffer[]>, work: Work<T>): Promise<T> {
    const own = this.#own(record)
    const interrupt = await this.#uploads.admit(own, this.principal)
    const accepted = await this.#uploads.asked(own, this.principal).finally(interrupt)
    // A slow body must not keep other creations waiting.
    const bytes = await read()
    const leave = await this.#uploads.enter(accepted)
    const end = this.#reach?.(accepted.id)
    try {
      return await this.#uploads.createFinished(accepted, bytes, begins(work, leave), this.principal)
    } finally {
      end?.()
      leave()
    }
  }

  /**
   * Like `Uploads.createFrom`, as an upload of the principal.
   *
   * @param source a file that the principal has, as it has proved.
   * @throws UploadError like `create`, and `not_found`.
   */
  async createFrom<T>(record: UploadRecord, source: string, work: Work<T>): Promise<T> {
    return this.#admitted(record, work, (own, begun) => this.#uploads.createFrom(own, source, begun, this.principal))
  }

  /** @throws UploadError `too_large` if the principal may not have a file of `length` bytes. */
  checkSize(length: number | null): void {
    this.#uploads.checkSize(length)
    const { maxSize } = this.principal.limits
    if (length !== null && maxSize !== undefined && length > maxSize) {
      throw new UploadError('too_large', `Your credentials allow at most ${maxSize} bytes per file.`)
    }
  }

  /** Runs `create` when the upload may be created. */
  async #admitted<T>(
    record: UploadRecord,
    work: Work<T>,
    create: (record: UploadRecord, work: Work<T>) => Promise<T>,
  ): Promise<T> {
    const own = this.#own(record)
    const leave = await this.#uploads.admit(own, this.principal)
    let end: (() => void) | undefined
    try {
      const accepted = await this.#uploads.asked(own, this.principal)
      end = this.#reach?.(accepted.id)
      return await create(accepted, begins(work, leave))
    } finally {
      end?.()
      leave()
    }
  }

  /** The only place that says whose an upload is; it never changes. */
  #own(record: UploadRecord): UploadRecord {
    const { owner, may, account, limits } = this.principal
    if (!may.has('create')) throw new UploadError('forbidden', 'Your credentials do not allow you to create uploads.')
    this.checkSize(record.length)
    this.#uploads.checkType(record, limits.types)
    const typed = limits.types === undefined ? undefined : true
    return { ...record, typed, ...(owner === undefined ? { account: account() } : { owner }) }
  }
}

/** `work` on a new upload: another one may be created from then on. */
function begins<T>(work: Work<T>, leave: () => void): Work<T> {
  return (upload) => {
    leave()
    return work(upload)
  }
}
