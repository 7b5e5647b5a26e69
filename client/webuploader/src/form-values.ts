import type { QueuedFile } from './library.ts'

type Values = Readonly<Record<string, unknown>>

/**
 * Keeps what a page sets in `formData` for each file. WebUploader has one `formData` for all files: when the page sets
 * the values of the next file, the remaining chunks of the current one would get them, too.
 */
export class FormValues {
  readonly #current: () => Values
  /** The fields that the page sets for each file. */
  readonly #names = new Set<string>()
  readonly #ofFiles = new WeakMap<QueuedFile, Values>()
  #chunks = 0

  /** @param current returns the `formData` of the uploader. */
  constructor(current: () => Values) {
    this.#current = current
  }

  /** Runs the listeners of the page for the next file. */
  whileStarting<T>(listeners: () => T): T {
    const before = { ...this.#current() }
    const result = listeners()
    this.#learn(before)
    return result
  }

  /** Watches the hooks of the next file until the result is called. */
  whileHooksRun(): () => void {
    const before = { ...this.#current() }
    const chunks = this.#chunks
    return () => {
      // The hooks of a chunk set values of that chunk.
      if (chunks === this.#chunks) this.#learn(before)
    }
  }

  /** Keeps the current values for the file: the page has set all of them. */
  keep(file: QueuedFile): void {
    this.#ofFiles.set(file, { ...this.#current() })
  }

  /** Call this when the hooks of a chunk begin. */
  noteChunk(): void {
    this.#chunks += 1
  }

  /** Replaces the values of another file, but not those that the page has chosen for this chunk. */
  restore(file: QueuedFile, data: Record<string, unknown>): void {
    const kept = this.#ofFiles.get(file) ?? {}
    const current = this.#current()
    for (const name of this.#names) {
      if (name in kept && data[name] === current[name]) data[name] = kept[name]
    }
  }

  #learn(before: Values): void {
    const now = this.#current()
    for (const name of Object.keys(now)) if (now[name] !== before[name]) this.#names.add(name)
  }
}
