import type { Uploads } from '../server/core/uploads.ts'

/** So many ids are kept in any case. */
const FEW = 100

/**
 * Which unfinished uploads each visitor has begun: read from the records when somebody asks, and from then on known from chunks as they
 * come. Nobody tells it of uploads that expire; so it is read anew when it has doubled.
 */
export class VisitorUploads {
  readonly #uploads: Uploads
  readonly #ids = new Map<string, Set<string>>()
  #loaded: Promise<void> | undefined
  #size = 0
  #most = Number.POSITIVE_INFINITY

  constructor(uploads: Uploads) {
    this.#uploads = uploads
  }

  note(visitor: string, id: string): void {
    if (this.#loaded === undefined) return
    this.#add(visitor, id)
    if (this.#size > this.#most) this.#forgetAll()
  }

  /** Ids in no order; some of them may have been finished or removed since. */
  async of(visitor: string): Promise<readonly string[]> {
    this.#loaded ??= this.#load().catch((error: unknown) => {
      this.#forgetAll()
      throw error
    })
    await this.#loaded
    return [...(this.#ids.get(visitor) ?? [])]
  }

  forget(visitor: string, id: string): void {
    const ids = this.#ids.get(visitor)
    if (ids?.delete(id)) this.#size -= 1
    if (ids?.size === 0) this.#ids.delete(visitor)
  }

  #add(visitor: string, id: string): void {
    const ids = this.#ids.get(visitor) ?? new Set()
    this.#ids.set(visitor, ids)
    if (!ids.has(id)) this.#size += 1
    ids.add(id)
  }

  #forgetAll(): void {
    this.#loaded = undefined
    this.#ids.clear()
    this.#size = 0
    this.#most = Number.POSITIVE_INFINITY
  }

  async #load(): Promise<void> {
    await this.#uploads.eachUnfinished(async ({ record }) => {
      if (record.visitor !== undefined) this.#add(record.visitor, record.id)
    })
    this.#most = 2 * this.#size + FEW
  }
}
