import { readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { pacer } from '../core/pacer.ts'
import { isUploadId } from '../core/record.ts'
import { adopt, adoptableId } from './adopt.ts'
import type { Environment } from './environment.ts'
import { exists, hasOtherLink, ifThere, namesIn } from './files.ts'
import { isBeingWritten } from './journal.ts'
import type { Layout } from './layout.ts'
import { readRecord } from './record-file.ts'
import { removeBytes } from './removal.ts'
import { isUnfinishedTombstone } from './tombstone.ts'

/** The start checks at least this many files, and as many as possible within this time, in milliseconds. */
const FIRST_FILES = 100
const FIRST_MS = 200

/**
 * Repairs what a crash may have left between two steps: sets orphaned bytes aside, and unlinks journals of finished
 * uploads. It also adopts uploads of @tus/file-store. Uploads that only have to be finished are left to the core.
 *
 * A large directory is scanned while the service runs. Until the scan ends, each upload is repaired on first use.
 */
export class Recovery {
  readonly #environment: Environment
  readonly #onNotice: (sentence: string) => void
  /** Serializes the work on each id. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #running: Promise<void> = Promise.resolve()
  /** Whether the rest of the scan runs in the background. */
  #isInBackground = false
  #isOver = false
  #isStopped = false
  #scanned = 0
  #adopted = 0
  #failures = 0

  /** @param onNotice receives notices for the operator, one sentence each. */
  constructor(environment: Environment, onNotice: (sentence: string) => void) {
    this.#environment = environment
    this.#onNotice = onNotice
  }

  /**
   * Starts the scan; returns when it is complete, or when the rest can run in the background.
   *
   * @throws the OS error, or Error with a sentence for the operator, when a file cannot be read before this returns.
   */
  async begin(): Promise<void> {
    const { layout } = this.#environment
    // There are few of these: each removal deletes its own tombstone.
    for (const name of await readdir(layout.leaving)) {
      if (isUnfinishedTombstone(name)) await rm(path.join(layout.leaving, name), { force: true })
      else await removeBytes(this.#environment, name)
    }
    await new Promise<void>((resolve, reject) => {
      this.#running = this.#run(resolve).then(resolve, (error: unknown) => {
        if (this.#isInBackground) this.#noteFailure(error)
        else reject(error)
      })
    })
  }

  /** Stops the scan wherever it is; the next start begins again. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** Runs `make` after setting orphaned files of this id aside. @throws what `make` throws, and the OS error. */
  async beforeCreation<T>(id: string, make: () => Promise<T>): Promise<T> {
    if (this.#isOver) return make()
    return this.#inTurn(id, async () => {
      await this.#clearBytes(id)
      await this.#clearJournal(id)
      return make()
    })
  }

  /** Adopts this upload if it is pending. Its other leftovers cannot mislead a reader. */
  async beforeOpening(id: string): Promise<void> {
    if (!this.#isOver) await this.#inTurn(id, () => this.#adopt(id))
  }

  async #run(continueStart: () => void): Promise<void> {
    const { layout } = this.#environment
    const startedAt = performance.now()
    const pause = pacer()
    const folders: readonly [string, (name: string) => Promise<void>][] = [
      [layout.root, (name) => this.#adoptDescribed(name)],
      [layout.incoming, (name) => this.#inTurn(name, () => this.#clearBytes(name))],
      [layout.journals, (name) => this.#inTurn(name, () => this.#clearJournal(name))],
    ]
    for (const [folder, repair] of folders) {
      for await (const name of namesIn(folder)) {
        if (this.#isStopped) return
        if (folder === layout.journals && isBeingWritten(name)) continue
        try {
          await repair(name)
        } catch (error) {
          if (!this.#isInBackground) throw error
          this.#noteFailure(error)
        }
        this.#scanned += 1
        if (this.#isInBackground) await pause()
        else if (this.#scanned >= FIRST_FILES && performance.now() - startedAt > FIRST_MS) {
          this.#isInBackground = true
          continueStart()
        }
      }
    }
    if (this.#adopted > 0) this.#onNotice(`Uploads adopted from @tus/file-store: ${this.#adopted}`)
    // Failed repairs are tried again on first use.
    this.#isOver = this.#failures === 0
  }

  async #adoptDescribed(name: string): Promise<void> {
    const id = adoptableId(name)
    if (id !== undefined) await this.#inTurn(id, () => this.#adopt(id))
  }

  async #adopt(id: string): Promise<void> {
    if (await adopt(this.#environment, id)) this.#adopted += 1
  }

  /** Sets aside bytes without a record. */
  async #clearBytes(name: string): Promise<void> {
    const { layout, onStep } = this.#environment
    const record = isUploadId(name) ? await readRecord(this.#environment, name) : 'none'
    if (record !== 'none' && record !== 'torn') return
    // With another name, they are those of a finished upload.
    const isShared = await hasOtherLink(layout.incomingFile(name))
    if (isShared) await rm(layout.incomingFile(name), { force: true })
    else if (!(await setAside(layout, layout.incomingFile(name)))) return
    onStep('recover:aside')
    if (record === 'torn') await setAside(layout, layout.record(name))
    onStep('recover:record')
    if (!isShared) this.#onNotice(`Bytes without a record were set aside: quarantine/${name}`)
  }

  /** Removes a journal without an incoming file. */
  async #clearJournal(name: string): Promise<void> {
    const { layout, onStep } = this.#environment
    if (await exists(layout.incomingFile(name))) return
    await rm(layout.journal(name), { force: true })
    onStep('recover:journal')
  }

  #noteFailure(error: unknown): void {
    this.#failures += 1
    const reason = error instanceof Error ? error.message : String(error)
    // One notice is enough: a disk that fails once may fail a hundred thousand times.
    if (this.#failures === 1) this.#onNotice(`The data directory could not be repaired completely: ${reason}`)
  }

  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id) ?? Promise.resolve()
    const mine = before.then(work)
    const over = mine
      .catch(() => undefined)
      .then(() => {
        if (this.#turns.get(id) === over) this.#turns.delete(id)
      })
    this.#turns.set(id, over)
    return mine
  }
}

/** @returns whether the file existed. */
async function setAside(layout: Layout, file: string): Promise<boolean> {
  const place = path.join(layout.quarantine, `${path.basename(file)}.${Date.now()}`)
  return (await ifThere(() => rename(file, place).then(() => true))) ?? false
}
