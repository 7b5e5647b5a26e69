import { type DetailedError, type HttpRequest, type HttpResponse, Upload, type UploadOptions } from 'tus-js-client'
import { ServerAnswer, statusOf } from './problem.ts'
import { chunkSize, endpoint, removalDelays, retryDelays } from './settings.ts'

/** What an attempt reports. Nothing is reported any more after it was stopped. */
export interface AttemptEvents {
  /** The server has a place for the upload. */
  located(url: string): void
  progress(sent: number): void
  /** Something failed that is worth trying again; the attempt goes on by itself. */
  retrying(): void
  finished(): void
  failed(error: unknown): void
}

/** Statuses on a HEAD that mean that this upload is over; everything else is a moment's trouble. */
const OVER = new Set([404, 410])
/** Statuses below 500 that pass. */
const PASSING = new Set([409, 423, 429])

/**
 * One continuous try to bring a file to the server, from start to pause, failure or end. A pause is the end of an
 * attempt: a new one asks the server where to go on, and late callbacks of the old one find nobody.
 */
export class Attempt {
  readonly #upload: Upload
  #live = true
  #removed = false

  /** Starts to send `file`, going on at `url` when there is one. */
  constructor(file: File, url: string | null, events: AttemptEvents) {
    this.#upload = new Upload(file, this.#options(file, events))
    this.#upload.url = url
    void this.#start()
  }

  /** Stops sending. The server keeps what it has. */
  stop(): void {
    this.#live = false
    void this.#upload.abort()
  }

  /** Stops sending and deletes the upload on the server. Throws when the server could not be told. */
  async remove(): Promise<void> {
    this.#live = false
    this.#removed = true
    // While the server is still making a place, the request is left to end, so that the place can be deleted.
    if (this.#upload.url === null) return
    this.#upload.options.retryDelays = [...removalDelays]
    await unlessOver(this.#upload.abort(true))
  }

  async #start(): Promise<void> {
    const url = this.#upload.url
    if (url !== null) {
      const known = await this.#upload.findPreviousUploads()
      const entry = known.find((previous) => previous.uploadUrl === url)
      // With its entry known, a finished upload is taken out of the storage again.
      if (entry) this.#upload.resumeFromPreviousUpload(entry)
    }
    if (this.#live) this.#upload.start()
  }

  #options(file: File, events: AttemptEvents): UploadOptions {
    return {
      endpoint,
      chunkSize,
      retryDelays: [...retryDelays],
      removeFingerprintOnSuccess: true,
      metadata: { filename: file.name, filetype: file.type },
      onBeforeRequest: (request) => this.#letPass(request),
      onAfterResponse: keepResumable,
      onShouldRetry: (error) => this.#worthRetrying(error, events),
      onUploadUrlAvailable: () => this.#located(events),
      onProgress: (sent) => {
        if (this.#live) events.progress(sent)
      },
      onSuccess: () => {
        if (this.#live) events.finished()
      },
      onError: (error) => {
        if (this.#live) events.failed(error)
      },
    }
  }

  /** `abort` does not reach requests that are only being prepared; here they are stopped. Throws to do so. */
  #letPass(request: HttpRequest): void {
    if (this.#live || request.getMethod() === 'DELETE') return
    void this.#upload.abort()
    throw new Error('the upload was stopped')
  }

  #located(events: AttemptEvents): void {
    if (this.#live && this.#upload.url !== null) events.located(this.#upload.url)
    if (this.#removed) void this.remove().catch(() => undefined)
  }

  #worthRetrying(error: DetailedError, events: AttemptEvents): boolean {
    if (!this.#live && error.originalRequest.getMethod() !== 'DELETE') return false
    const status = statusOf(error)
    const worth = navigator.onLine && (status < 400 || status >= 500 || PASSING.has(status))
    if (worth && this.#live) events.retrying()
    return worth
  }
}

/** Deletes an upload that nothing is being sent to. Throws when the server could not be told. */
export function removeUpload(url: string): Promise<void> {
  return unlessOver(Upload.terminate(url, { retryDelays: [...removalDelays] }))
}

/** What is gone already need not be deleted: those answers count as success. */
async function unlessOver(removal: Promise<void>): Promise<void> {
  try {
    await removal
  } catch (error) {
    if (!OVER.has(statusOf(error))) throw error
  }
}

/**
 * tus-js-client would begin again at 0 when a HEAD fails for whatever reason. Only an upload that is gone is worth
 * that; any other answer becomes an error, and so a further try. Throws to make it one.
 */
function keepResumable(request: HttpRequest, response: HttpResponse): void {
  const status = response.getStatus()
  if (request.getMethod() === 'HEAD' && status >= 400 && !OVER.has(status)) {
    throw new ServerAnswer(status, response.getBody())
  }
}
