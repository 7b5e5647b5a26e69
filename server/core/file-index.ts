/** Maximum files of one owner and size, and in all; the oldest leave first. */
const MAX_ALIKE = 64
const MAX_FILES = 100_000

/** What the index knows of a file. */
export interface IndexedFile {
  readonly id: string
  /** Bytes. */
  readonly size: number
  /** Of the file, as hexadecimal text. */
  readonly fingerprint: string
}

interface Entry {
  readonly id: string
  readonly mark: string
}

/** Finished files by size and fingerprint, in memory. A file in it may be gone. */
export class FileIndex {
  readonly #max: number
  /** Newest first; the keys are in order of their last addition. */
  readonly #alike = new Map<string, Entry[]>()
  #count = 0

  /** @param max maximum files. */
  constructor(max = MAX_FILES) {
    this.#max = max
  }

  get count(): number {
    return this.#count
  }

  /** Adds the newest file. @param scope files are found only in theirs. */
  add(scope: string, { id, size, fingerprint }: IndexedFile): void {
    const key = keyOf(scope, size)
    const entries = this.#alike.get(key) ?? []
    if (entries.some((entry) => entry.id === id)) return
    entries.unshift({ id, mark: markOf(fingerprint) })
    this.#alike.delete(key)
    this.#alike.set(key, entries)
    this.#count += 1
    if (entries.length > MAX_ALIKE) this.#dropOldest(key, entries)
    if (this.#count > this.#max) this.#dropOldestOfAll()
  }

  /** Adds a file that is older than all others, if there is room. */
  addOld(scope: string, { id, size, fingerprint }: IndexedFile): void {
    const key = keyOf(scope, size)
    const entries = this.#alike.get(key) ?? []
    if (this.#count >= this.#max || entries.length >= MAX_ALIKE || entries.some((entry) => entry.id === id)) return
    entries.push({ id, mark: markOf(fingerprint) })
    this.#alike.set(key, entries)
    this.#count += 1
  }

  /** The ids of files of a size with this fingerprint, newest first. */
  find(scope: string, size: number, fingerprint: string): readonly string[] {
    const mark = markOf(fingerprint)
    const entries = this.#alike.get(keyOf(scope, size)) ?? []
    return entries.filter((entry) => entry.mark === mark).map(({ id }) => id)
  }

  remove(scope: string, { id, size }: IndexedFile): void {
    const key = keyOf(scope, size)
    const entries = this.#alike.get(key) ?? []
    const at = entries.findIndex((entry) => entry.id === id)
    if (at < 0) return
    entries.splice(at, 1)
    this.#count -= 1
    if (entries.length === 0) this.#alike.delete(key)
  }

  #dropOldest(key: string, entries: Entry[]): void {
    entries.pop()
    this.#count -= 1
    if (entries.length === 0) this.#alike.delete(key)
  }

  #dropOldestOfAll(): void {
    const [oldest] = this.#alike
    if (oldest !== undefined) this.#dropOldest(...oldest)
  }
}

function keyOf(scope: string, size: number): string {
  return `${size} ${scope}`
}

/** Half of a fingerprint, in 16 characters: a proof decides, not the index. */
function markOf(fingerprint: string): string {
  return Buffer.from(fingerprint, 'hex').toString('latin1', 0, 16)
}
