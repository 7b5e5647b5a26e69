import { applicationUnavailable, Refusal } from './answer.ts'
import { changedBy, placedBy, taken } from './creation-changes.ts'
import { addAnswer } from './current-request.ts'
import { MAX_WAIT } from './deadline.ts'
import type { Decisions } from './decisions.ts'
import { stopping, UploadError } from './errors.ts'
import { isFinal, reasonOf } from './failure.ts'
import { fingerprintOfBytes } from './fingerprint.ts'
import { folderByTemplate } from './folder.ts'
import type { Checks } from './gate.ts'
import { answerOf } from './inspection.ts'
import type { Principal } from './principal.ts'
import { isUploadId, type UploadRecord } from './record.ts'
import type { Store, StoredUpload } from './store.ts'
import { needsTypeCheck } from './type-check.ts'
import type { Upload } from './upload.ts'

/** What decides about new uploads. */
export interface CreationRules {
  /** Maximum length in bytes; `Infinity` for no limit. */
  readonly maxSize: number
  /** What a file must pass before it becomes visible. */
  readonly checks: Checks
  /** Those of the application. */
  readonly decisions: Decisions
  /** The template of the folders of finished files; empty for none. */
  readonly folder: string
}

/** Creates uploads in the store, if the limits and the application permit. */
export class NewUploads {
  readonly #store: Store
  readonly #rules: CreationRules
  readonly #uploadOf: (stored: StoredUpload) => Upload
  readonly #isFree: (id: string) => Promise<boolean>
  /** Those to the application about files that are created at once. */
  readonly #questions = new Set<AbortController>()

  /** @param isFree whether there is no upload of an id, open or stored. */
  constructor(
    store: Store,
    rules: CreationRules,
    uploadOf: (stored: StoredUpload) => Upload,
    isFree: (id: string) => Promise<boolean>,
  ) {
    this.#store = store
    this.#rules = rules
    this.#uploadOf = uploadOf
    this.#isFree = isFree
  }

  /**
   * Asks the application whether an upload may be created.
   *
   * @returns its record, with what the application changes, and the folder of its file.
   * @throws UploadError the refusal of the application; `internal` if it has chosen an id or a place that cannot be
   * used.
   */
  async asked(record: UploadRecord, principal: Principal): Promise<UploadRecord> {
    if (this.#rules.decisions.beforeCreate === undefined) return this.#placed(record)
    const { changes = {}, answer } = (await this.#rules.decisions.beforeCreate(record, principal)) ?? {}
    addAnswer(answer)
    const changed = placedBy(changes, this.#placed(changedBy(changes, record)))
    if (changed.id !== record.id) await this.#checkFree(changed.id)
    this.checkType(changed, principal.limits.types)
    return changed
  }

  /** @throws UploadError `too_large` if files of `length` bytes are not accepted. */
  checkSize(length: number | null): void {
    // The sum of parts can exceed the safe integers; a record with such a length could not be read back.
    const most = Math.min(this.#rules.maxSize, this.#store.maxLength, Number.MAX_SAFE_INTEGER)
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
    if (!partial) this.#rules.checks.types?.checkName(fileName, narrower)
  }

  /**
   * Creates an upload.
   *
   * @param isTentative like that of `Store.create`.
   * @throws UploadError `too_large`, `type_not_allowed`, `no_space`, `storage_error`.
   */
  async make(record: UploadRecord, isTentative = false): Promise<Upload> {
    this.checkSize(record.length)
    this.checkType(record)
    return this.#uploadOf(await this.#store.create(record, isTentative))
  }

  /**
   * Creates an upload with the bytes of a finished one.
   *
   * @throws UploadError like `make`, and `not_found` if the bytes cannot be had.
   */
  async makeFrom(record: UploadRecord, source: Upload): Promise<Upload> {
    this.checkSize(record.length)
    this.checkType(record)
    return this.#uploadOf(await source.createCopy(this.#store, record))
  }

  /**
   * Creates a finished upload whose bytes are all in memory. If the application rejects it, the upload has failed.
   *
   * @throws UploadError like `make`, and `application_unavailable`; then there is no such upload.
   */
  async makeFinished(wanted: UploadRecord, bytes: readonly Buffer[]): Promise<Upload> {
    this.checkSize(wanted.length)
    this.checkType(wanted)
    await this.#checkStart(wanted, bytes)
    const record = this.#rules.checks.fingerprints
      ? { ...wanted, fingerprint: fingerprintOfBytes(Buffer.concat(bytes)) }
      : wanted
    const prepare = this.#rules.decisions.beforeFinish && (async () => ({ record: await this.#decided(record) }))
    return this.#uploadOf(await this.#store.createFinished(record, bytes, prepare))
  }

  /** Ends all questions to the application about files that are created at once. */
  end(): void {
    for (const question of this.#questions) question.abort(stopping())
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
      const answer = await answerOf(this.#rules.decisions, facts, question.signal)
      return answer === undefined ? record : { ...record, answer }
    } catch (error) {
      if (error instanceof Refusal && isFinal(error)) return { ...record, failed: reasonOf(error) }
      throw error instanceof UploadError ? error : applicationUnavailable(error)
    } finally {
      clearTimeout(timer)
      this.#questions.delete(question)
    }
  }

  /** The place of a file never changes: a later setting must not move it. */
  #placed(record: UploadRecord): UploadRecord {
    const folder = record.partial ? undefined : folderByTemplate(this.#rules.folder, record)
    return folder === undefined ? record : { ...record, folder }
  }

  /** @throws UploadError `internal` if no upload can have this id. */
  async #checkFree(id: string): Promise<void> {
    if (!isUploadId(id) || !(await this.#isFree(id))) throw taken(id)
  }

  async #checkStart(record: UploadRecord, bytes: readonly Buffer[]): Promise<void> {
    const { types } = this.#rules.checks
    if (types === undefined || !needsTypeCheck(record, types)) return
    await types.checkStart(record.fileName, Buffer.concat(bytes).subarray(0, types.startLength))
  }
}
