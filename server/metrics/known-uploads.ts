import type { EndedRequest } from '../http/request-feed.ts'

/** Maximum uploads that are known; the one that was seen longest ago is forgotten first. */
const MAX_KNOWN = 10_000

/** An upload since its creation. */
export interface KnownUpload {
  readonly protocol: EndedRequest['protocol']
  /** Requests that brought bytes. */
  requests: number
  /** Whether it is complete, and only the request that completed it is running. */
  isFinished: boolean
}

/** The unfinished uploads that this process has seen from their creation on. */
export class KnownUploads {
  readonly #uploads = new Map<string, KnownUpload>()

  add(id: string, protocol: KnownUpload['protocol']): void {
    this.#uploads.set(id, { protocol, requests: 0, isFinished: false })
    if (this.#uploads.size <= MAX_KNOWN) return
    const [oldest] = this.#uploads.keys()
    if (oldest !== undefined) this.#uploads.delete(oldest)
  }

  /** @returns `undefined` if it was created by an earlier process, or forgotten. */
  get(id: string): KnownUpload | undefined {
    return this.#uploads.get(id)
  }

  /** Counts a request that brought bytes. */
  count(id: string): KnownUpload | undefined {
    const known = this.#uploads.get(id)
    if (known === undefined) return undefined
    known.requests += 1
    this.#uploads.delete(id)
    this.#uploads.set(id, known)
    return known
  }

  forget(id: string): void {
    this.#uploads.delete(id)
  }
}
