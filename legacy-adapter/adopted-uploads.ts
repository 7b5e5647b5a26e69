import { z } from 'zod'
import { KeyedQueue } from '../server/core/keyed-queue.ts'
import type { TextStore } from './check-histories.ts'

/** Maximum uploads that a task adopts; then the earliest is dropped. */
const MOST_ADOPTED = 32
/** Maximum adoptions in memory: every chunk of a resumed file asks for one. */
const MOST_REMEMBERED = 5_000

const ids = z.array(z.string()).catch([])

/**
 * Uploads that a page resumes after a reload. They belong to the task id of an earlier page load, but the page completes
 * them under its current one.
 */
export class AdoptedUploads {
  readonly #notes: TextStore
  readonly #queue = new KeyedQueue()
  /** Adoptions that are noted. */
  readonly #known = new Set<string>()

  /** @param notes may lose notes; then a complete does not find the file, which exists anyway. */
  constructor(notes: TextStore) {
    this.#notes = notes
  }

  /** @param group of the task that adopts the upload. @throws UploadError `no_space`, `storage_error`. */
  async add(group: string, id: string): Promise<void> {
    const adoption = `${group} ${id}`
    if (this.#known.has(adoption)) return
    await this.#queue.run([group], async () => {
      const known = await this.of(group)
      if (known.includes(id)) return
      await this.#notes.write(group, JSON.stringify([...known, id].slice(-MOST_ADOPTED)))
    })
    this.#known.add(adoption)
    const [oldest] = this.#known
    if (this.#known.size > MOST_REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
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
