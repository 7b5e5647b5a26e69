import type { Range } from '../core/ranges.ts'
import type { Environment } from './environment.ts'
import { Journal, type JournalContent } from './journal.ts'
import { turns } from './queue.ts'

/** The journal of an upload from the moment that there has to be one. What is done to it is done in turn. */
export class UploadJournal {
  readonly #environment: Environment
  readonly #id: string
  readonly #content: () => JournalContent
  readonly #inTurn = turns()
  #journal: Journal | undefined
  #isStarting = false
  /** Whether its name may not be on the disk yet. */
  #isNew = false

  /**
   * @param journal the one that was found.
   * @param content what is known of the upload just now.
   */
  constructor(environment: Environment, id: string, journal: Journal | undefined, content: () => JournalContent) {
    this.#environment = environment
    this.#id = id
    this.#journal = journal
    this.#content = content
  }

  /** Whether there is one, which alone says what counts. */
  get isThere(): boolean {
    return this.#journal !== undefined
  }

  /** Whether bytes count only by an entry: there is one, or it is just being made and may not have them. */
  get isAwaited(): boolean {
    return this.#journal !== undefined || this.#isStarting
  }

  /** Whether it holds a descriptor. */
  get isOpen(): boolean {
    return this.#journal?.isOpen === true
  }

  /** Sees to it that there is one. */
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

  /** Cuts off what was refused: its place may be written anew from here on. */
  async clear(): Promise<void> {
    if (!this.#journal?.hasRemains) return
    await this.#inTurn(async () => this.#journal?.clear(this.#isSynced))
  }

  /** Has a range count. */
  async append(range: Range): Promise<void> {
    await this.#inTurn(async () => {
      await this.#secureName()
      await this.#journal?.append([range], this.#isSynced)
    })
    this.#environment.onStep('journal:appended')
  }

  /** Writes it anew if it is long: however many small puts there are, it never needs much memory to be read. */
  async shorten(): Promise<void> {
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
        // It says the same as before, and is tried again after the next entry.
      }
    })
  }

  /**
   * Remembers what it says now.
   *
   * @returns what marks that as synced, unless there is no journal: `false` when it was written anew meanwhile, where other entries
   * have these numbers.
   */
  marker(): (() => Promise<boolean>) | undefined {
    const journal = this.#journal
    if (journal === undefined) return undefined
    const { count } = journal
    return () =>
      this.#inTurn(async () => {
        if (this.#journal !== journal) return false
        await journal.mark(count)
        // The put that wrote the entries may be over: nobody else would close it. It is opened again when it is needed.
        await journal.close()
        return true
      })
  }

  /** Puts all that it says on the disk, with the word that the bytes are there. */
  async secure(): Promise<void> {
    await this.#inTurn(async () => this.#journal?.append([], true))
    await this.#journal?.close()
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => this.#journal?.close())
  }

  /** Removes it. */
  async drop(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#journal?.unlink()
      this.#journal = undefined
    })
  }

  /** Its file is removed by others, with all of the upload. */
  forget(): void {
    this.#journal = undefined
  }

  get #isSynced(): boolean {
    return this.#environment.sync === 'always'
  }

  get #isLong(): boolean {
    return this.#journal?.isLongFor(this.#content().received) === true
  }

  /** With SYNC=always nothing counts by an entry before the name of its journal is on the disk. */
  async #secureName(): Promise<void> {
    const { layout, directorySync } = this.#environment
    if (!this.#isNew || !this.#isSynced) return
    await directorySync.sync(layout.journals)
    this.#isNew = false
  }
}
