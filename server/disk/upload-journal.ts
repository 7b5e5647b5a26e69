import { queue } from '../core/queue.ts'
import type { Range } from '../core/ranges.ts'
import type { Environment } from './environment.ts'
import { Journal, type JournalContent } from './journal.ts'

/** The journal of an upload, once it needs one. Its operations run one at a time. */
export class UploadJournal {
  readonly #environment: Environment
  readonly #id: string
  readonly #content: () => JournalContent
  readonly #inTurn = queue()
  #journal: Journal | undefined
  #isStarting = false
  /** Whether its name may not be on disk yet. */
  #isNew = false

  /**
   * @param journal the existing one.
   * @param content returns the current state of the upload.
   */
  constructor(environment: Environment, id: string, journal: Journal | undefined, content: () => JournalContent) {
    this.#environment = environment
    this.#id = id
    this.#journal = journal
    this.#content = content
  }

  /** Whether there is a journal, which then determines which bytes count. */
  get isThere(): boolean {
    return this.#journal !== undefined
  }

  /** Whether bytes count only by an entry: there is a journal, or one is being created. */
  get isAwaited(): boolean {
    return this.#journal !== undefined || this.#isStarting
  }

  /** Whether it has an open descriptor. */
  get isOpen(): boolean {
    return this.#journal?.isOpen === true
  }

  /** Creates the journal, unless there is one. */
  async start(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#journal !== undefined) return
      this.#isStarting = true
      try {
        const { layout, boot, sync, onStep } = this.#environment
        this.#journal = await Journal.create(layout.journal(this.#id), boot, this.#content(), sync === 'always')
        this.#isNew = true
        await this.#secureName()
        onStep('journal:created')
      } finally {
        this.#isStarting = false
      }
    })
  }

  /** Cuts off refused entries: their ranges will be overwritten. */
  async clear(): Promise<void> {
    if (!this.#journal?.hasRemains) return
    await this.#inTurn(async () => this.#journal?.clear(this.#isSynced))
  }

  /** Adds a range, which then counts. */
  async append(range: Range): Promise<void> {
    await this.#inTurn(async () => {
      await this.#secureName()
      await this.#journal?.append([range], this.#isSynced)
    })
    this.#environment.onStep('journal:appended')
  }

  /** Compacts a long journal: reading one must not need much memory. */
  async compact(): Promise<void> {
    if (!this.#isLong) return
    await this.#inTurn(async () => {
      if (!this.#isLong) return
      const { layout, boot } = this.#environment
      const [synced = { start: 0, end: 0 }] = this.#content().synced
      try {
        await this.#journal?.close()
        const loaded = await Journal.load(layout.journal(this.#id), boot, synced)
        if (loaded === undefined) return
        this.#journal = loaded.journal
        this.#isNew = true
      } catch {
        // The journal is unchanged; the next entry tries again.
      }
    })
  }

  /**
   * Remembers the current entries.
   *
   * @returns a function that marks them as synced, or `undefined` without a journal. It returns `false` if the journal
   * was compacted meanwhile, where other entries have these numbers.
   */
  marker(): (() => Promise<boolean>) | undefined {
    const journal = this.#journal
    if (journal === undefined) return undefined
    const { count } = journal
    return () =>
      this.#inTurn(async () => {
        if (this.#journal !== journal) return false
        await journal.mark(count)
        // The put that wrote the entries may have ended, and would not close it.
        await journal.close()
        return true
      })
  }

  /** Makes all entries durable, with a mark that their data is on disk. */
  async secure(): Promise<void> {
    await this.#inTurn(async () => this.#journal?.append([], true))
    await this.#journal?.close()
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => this.#journal?.close())
  }

  /** Removes the journal. */
  async drop(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#journal?.unlink()
      this.#journal = undefined
    })
  }

  /** Call this when the file is removed with the upload. */
  forget(): void {
    this.#journal = undefined
  }

  get #isSynced(): boolean {
    return this.#environment.sync === 'always'
  }

  get #isLong(): boolean {
    return this.#journal?.isLongFor(this.#content().received) === true
  }

  /** With SYNC=always, no entry counts before the name of its journal is on disk. */
  async #secureName(): Promise<void> {
    const { layout, directorySync } = this.#environment
    if (!this.#isNew || !this.#isSynced) return
    await directorySync.sync(layout.journals)
    this.#isNew = false
  }
}
