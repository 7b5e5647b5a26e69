import { z } from 'zod'
import { KeyedQueue } from '../server/core/keyed-queue.ts'
import type { TextStore } from './check-histories.ts'

/** Maximum uploads that a task adopts; then the earliest is dropped. */
const MOST_ADOPTED = 32
/** Maximum tasks that adopt an upload; then the earliest gives it up. */
const MOST_ADOPTERS = 8
/** Maximum uploads whose adopters are in memory: every chunk of a resumed file asks for an adoption. */
const MOST_REMEMBERED = 5_000

/** Stores the uploads of each adopter. */
export interface AdoptionStore extends TextStore {
  /** Calls for one name must not overlap. */
  remove(name: string): Promise<void>
}

const ids = z.array(z.string()).catch([])

/**
 * Uploads that a page resumes after a reload. They belong to the task id of an earlier page load, but the page completes
 * them under its current one.
 */
export class AdoptedUploads {
  readonly #notes: AdoptionStore
  readonly #queue = new KeyedQueue()
  /** By upload: the tasks that have adopted it, the latest last. */
  readonly #adopters = new Map<string, Set<string>>()

  /** @param notes may lose notes; then a complete does not find the file, which exists anyway. */
  constructor(notes: AdoptionStore) {
    this.#notes = notes
  }

  /** @param group of the task that adopts the upload. @throws UploadError `no_space`, `storage_error`. */
  async add(group: string, id: string): Promise<void> {
    if (this.#adopters.get(id)?.has(group)) return
    await this.#change(group, (known) => (known.includes(id) ? known : [...known, id].slice(-MOST_ADOPTED)))
    const earliest = this.#remember(group, id)
    if (earliest !== undefined) await this.#change(earliest, (known) => known.filter((other) => other !== id))
  }

  /** @returns the task that gives the upload up for this one, if any. */
  #remember(group: string, id: string): string | undefined {
    const adopters = this.#adopters.get(id) ?? new Set<string>()
    this.#adopters.set(id, adopters.add(group))
    const [oldest] = this.#adopters.keys()
    if (this.#adopters.size > MOST_REMEMBERED && oldest !== undefined) this.#adopters.delete(oldest)
    const [earliest] = adopters
    if (adopters.size <= MOST_ADOPTERS || earliest === undefined) return undefined
    adopters.delete(earliest)
    return earliest
  }

  #change(group: string, change: (known: readonly string[]) => readonly string[]): Promise<void> {
    return this.#queue.run([group], async () => {
      const known = await this.of(group)
      const changed = change(known)
      if (changed === known) return
      if (changed.length === 0) await this.#notes.remove(group)
      else await this.#notes.write(group, JSON.stringify(changed))
    })
  }

  /** The uploads that a task has adopted. @throws UploadError `storage_error`. */
  async of(group: string): Promise<readonly string[]> {
    return ids.parse(parsed((await this.#notes.read(group)) ?? '[]'))
  }
}

/** A power cut may have torn a note. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return []
  }
}
