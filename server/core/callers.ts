/** The requests that are working on uploads: what happens to an upload is attributed to the newest one. */
export class Callers<T> {
  readonly #byUpload = new Map<string, Set<T>>()

  /** @returns a function that ends the work. */
  enter(id: string, caller: T): () => void {
    const callers = this.#byUpload.get(id) ?? new Set<T>()
    this.#byUpload.set(id, callers)
    // The same request may enter several times; its first end is that of all.
    callers.add(caller)
    return () => {
      callers.delete(caller)
      if (callers.size === 0 && this.#byUpload.get(id) === callers) this.#byUpload.delete(id)
    }
  }

  /** The newest request that is working on an upload. */
  of(id: string): T | undefined {
    let newest: T | undefined
    for (const caller of this.#byUpload.get(id) ?? []) newest = caller
    return newest
  }
}
