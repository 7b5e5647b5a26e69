import type { EndedRequest, RequestFeed } from '../http/request-feed.ts'
import type { UploadDetails } from './contract.ts'

type RequestError = UploadDetails['errors'][number]

/** Of so many uploads, the last requests are kept. */
const MAX_UPLOADS = 10_000

/** So many errors are kept of an upload, and of all. */
const MAX_ERRORS_OF_UPLOAD = 10
const MAX_ERRORS = 50

/** Rates are those of so many seconds. */
const WINDOW = 60

interface OfUpload {
  requests: number
  errors: RequestError[]
}

/** What the requests of this process were: how many each upload has had, and the last errors. */
export class RequestHistory {
  readonly #unsubscribe: () => void
  /** The upload with the most recent request is last. */
  readonly #uploads = new Map<string, OfUpload>()
  #errors: (RequestError & { readonly upload: string | null })[] = []
  readonly #requestsAt = new Window()
  readonly #errorsAt = new Window()

  constructor(feed: RequestFeed) {
    this.#unsubscribe = feed.on((request) => this.#note(request))
  }

  /** The errors are newest first. */
  of(id: string): { readonly requests: number; readonly errors: readonly RequestError[] } {
    return this.#uploads.get(id) ?? { requests: 0, errors: [] }
  }

  /** The last errors of all, newest first. */
  get errors(): readonly (RequestError & { readonly upload: string | null })[] {
    return this.#errors
  }

  /** Per second. */
  get rates(): { readonly requests: number; readonly errors: number } {
    return { requests: this.#requestsAt.rate, errors: this.#errorsAt.rate }
  }

  close(): void {
    this.#unsubscribe()
  }

  #note(request: EndedRequest): void {
    const { upload, id, code, isAborted, method, status } = request
    this.#requestsAt.add()
    const why = code ?? (isAborted ? 'aborted' : undefined)
    const error = why && { at: new Date().toISOString(), code: why, method, status, request: id }
    if (error) {
      this.#errorsAt.add()
      this.#errors = [{ ...error, upload: upload ?? null }, ...this.#errors].slice(0, MAX_ERRORS)
    }
    if (upload === undefined) return
    const known = this.#uploads.get(upload) ?? { requests: 0, errors: [] }
    known.requests += 1
    if (error) known.errors = [error, ...known.errors].slice(0, MAX_ERRORS_OF_UPLOAD)
    this.#uploads.delete(upload)
    this.#uploads.set(upload, known)
    const [oldest] = this.#uploads.size > MAX_UPLOADS ? this.#uploads.keys() : []
    if (oldest !== undefined) this.#uploads.delete(oldest)
  }
}

/** How often something has happened in the last minute. */
class Window {
  readonly #counts = new Uint32Array(WINDOW)
  #second = Math.floor(performance.now() / 1000)

  add(): void {
    this.#advance()
    const place = this.#second % WINDOW
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
  }

  get rate(): number {
    this.#advance()
    return this.#counts.reduce((sum, count) => sum + count, 0) / WINDOW
  }

  #advance(): void {
    const now = Math.floor(performance.now() / 1000)
    if (now - this.#second >= WINDOW) this.#counts.fill(0)
    else for (let second = this.#second + 1; second <= now; second++) this.#counts[second % WINDOW] = 0
    this.#second = now
  }
}
