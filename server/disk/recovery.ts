import { readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { pacer } from '../core/pacer.ts'
import { isUploadId } from '../core/record.ts'
import { adopt, adoptableId } from './adopt.ts'
import { exists, ifThere } from './disk-error.ts'
import type { Environment } from './environment.ts'
import { isBeingWritten } from './journal.ts'
import type { Layout } from './layout.ts'
import { namesIn } from './names-in.ts'
import { readRecord } from './record-file.ts'
import { removeBytes } from './upload-files.ts'

/** So many files are looked at in any case before the start goes on, and as many as can be within so many milliseconds. */
const FIRST_FILES = 100
const FIRST_MS = 200

/**
 * Puts right what a crash may have left between two steps: bytes that no client was told of are set aside, journals of finished uploads
 * are unlinked. It also adopts what @tus/file-store left. What only has to be finished is left to the core.
 *
 * A large directory is looked through while the service works. Until that is over, each upload is put right when it is asked for.
 */
export class Recovery {
  readonly #environment: Environment
  readonly #onNotice: (sentence: string) => void
  /** What is done for one id is done in turn. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #running: Promise<void> = Promise.resolve()
  /** Whether the start goes on meanwhile. */
  #isBehind = false
  #isOver = false
  #isStopped = false
  #looked = 0
  #adopted = 0
  #failures = 0

  /** @param onNotice told of what an operator should know, in one sentence each. */
  constructor(environment: Environment, onNotice: (sentence: string) => void) {
    this.#environment = environment
    this.#onNotice = onNotice
  }

  /**
   * Begins, and returns when all is over, or when the rest can be done behind.
   *
   * @throws the system's error, Error with a sentence for the operator, when something that was looked at until then cannot be read.
   */
  async begin(): Promise<void> {
    const { layout } = this.#environment
    // There are few of these: each removal takes its own away again.
    for (const id of await readdir(layout.leaving)) await removeBytes(this.#environment, id)
    await new Promise<void>((resolve, reject) => {
      this.#running = this.#run(resolve).then(resolve, (error: unknown) => {
        if (this.#isBehind) this.#noteFailure(error)
        else reject(error)
      })
    })
  }

  /** Ends it, wherever it is: the next start begins anew. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** Makes an upload; what lies there under its id, and is none, is put right before. @throws what `make` throws, and the system's error. */
  async beforeCreation<T>(id: string, make: () => Promise<T>): Promise<T> {
    if (this.#isOver) return make()
    return this.#inTurn(id, async () => {
      await this.#clearBytes(id)
      await this.#clearJournal(id)
      return make()
    })
  }

  /** Adopts this upload if it is still to be adopted. Everything else that may be left of it misleads nobody who opens it. */
  async beforeOpening(id: string): Promise<void> {
    if (!this.#isOver) await this.#inTurn(id, () => this.#adopt(id))
  }

  async #run(behind: () => void): Promise<void> {
    const { layout } = this.#environment
    const startedAt = performance.now()
    const pause = pacer()
    const folders: readonly [string, (name: string) => Promise<void>][] = [
      [layout.root, (name) => this.#adoptDescribed(name)],
      [layout.incoming, (name) => this.#inTurn(name, () => this.#clearBytes(name))],
      [layout.journals, (name) => this.#inTurn(name, () => this.#clearJournal(name))],
    ]
    for (const [folder, putRight] of folders) {
      for await (const name of namesIn(folder)) {
        if (this.#isStopped) return
        if (folder === layout.journals && isBeingWritten(name)) continue
        try {
          await putRight(name)
        } catch (error) {
          if (!this.#isBehind) throw error
          this.#noteFailure(error)
        }
        this.#looked += 1
        if (this.#isBehind) await pause()
        else if (this.#looked >= FIRST_FILES && performance.now() - startedAt > FIRST_MS) {
          this.#isBehind = true
          behind()
        }
      }
    }
    if (this.#adopted > 0) this.#onNotice(`Uploads adopted from @tus/file-store: ${this.#adopted}`)
    // What could not be put right is tried again when it is asked for.
    this.#isOver = this.#failures === 0
  }

  async #adoptDescribed(name: string): Promise<void> {
    const id = adoptableId(name)
    if (id !== undefined) await this.#inTurn(id, () => this.#adopt(id))
  }

  async #adopt(id: string): Promise<void> {
    if (await adopt(this.#environment, id)) this.#adopted += 1
  }

  /** Sets bytes aside that have no record. */
  async #clearBytes(name: string): Promise<void> {
    const { layout, onStep } = this.#environment
    const record = isUploadId(name) ? await readRecord(this.#environment, name) : 'none'
    if (record !== 'none' && record !== 'torn') return
    if (!(await setAside(layout, layout.incomingFile(name)))) return
    onStep('recover:aside')
    if (record === 'torn') await setAside(layout, layout.record(name))
    onStep('recover:record')
    this.#onNotice(`Bytes without a record were set aside: quarantine/${name}`)
  }

  /** Removes the journal of what is no unfinished upload. */
  async #clearJournal(name: string): Promise<void> {
    const { layout, onStep } = this.#environment
    if (await exists(layout.incomingFile(name))) return
    await rm(layout.journal(name), { force: true })
    onStep('recover:journal')
  }

  #noteFailure(error: unknown): void {
    this.#failures += 1
    const reason = error instanceof Error ? error.message : String(error)
    // One is enough: a disk that fails once may fail a hundred thousand times.
    if (this.#failures === 1) this.#onNotice(`Something in the data folder could not be put right: ${reason}`)
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

/** @returns whether there was such a file. */
async function setAside(layout: Layout, file: string): Promise<boolean> {
  const place = path.join(layout.quarantine, `${path.basename(file)}.${Date.now()}`)
  return (await ifThere(() => rename(file, place).then(() => true))) ?? false
}
