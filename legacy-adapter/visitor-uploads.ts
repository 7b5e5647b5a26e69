import type { Uploads } from '../server/core/uploads.ts'

/** Which unfinished uploads each visitor has begun: known from chunks as they come, and from the records of those before. */
export class VisitorUploads {
  readonly #uploads: Uploads
  readonly #ids = new Map<string, Set<string>>()
  #loaded: Promise<void> | undefined

  constructor(uploads: Uploads) {
    this.#uploads = uploads
  }

  note(visitor: string, id: string): void {
    const ids = this.#ids.get(visitor)
    if (ids === undefined) this.#ids.set(visitor, new Set([id]))
    else ids.add(id)
  }

  /** Ids in no order; some of them may have been finished or removed since. */
  async of(visitor: string): Promise<readonly string[]> {
    this.#loaded ??= this.#load()
    await this.#loaded
    return [...(this.#ids.get(visitor) ?? [])]
  }

  forget(visitor: string, id: string): void {
    const ids = this.#ids.get(visitor)
    ids?.delete(id)
    if (ids?.size === 0) this.#ids.delete(visitor)
  }

  async #load(): Promise<void> {
    await this.#uploads.eachUnfinished(async ({ record }) => {
      if (record.visitor !== undefined) this.note(record.visitor, record.id)
    })
  }
}
