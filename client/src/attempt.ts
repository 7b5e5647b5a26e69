import { DetailedError, type HttpRequest, type HttpResponse, Upload, type UploadOptions } from 'tus-js-client'
import { servicePresent } from './presence.ts'
import { passes, readable, ServerAnswer, statusOf } from './problem.ts'
import { OtherBytes, type Proof } from './proof.ts'
import { entryOf, forget } from './remembered.ts'
import { chunkSize, endpoint, removalDelays, retryDelays } from './settings.ts'

/** What an attempt reports. Nothing is reported any more after it was stopped. */
export interface AttemptEvents {
  /** The server has a place for the upload, and nothing in it but bytes of the file. */
  located(url: string): void
  /** What the server has is being compared with the file; `share`, from 0 to 1, was found equal. */
  checking(share: number): void
  progress(sent: number): void
  /** Something failed that is worth trying again; the attempt resumes by itself. */
  retrying(): void
  finished(): void
  /** The server has bytes that are not the file's. Nothing was sent behind them. */
  differs(): void
  failed(error: unknown): void
}

/** What is sent. */
export interface ChosenFile {
  readonly file: File
  /** Under which the upload is remembered. */
  readonly fingerprint: string
  /** What is known of the server's bytes; attempts with the same file share it. */
  readonly proof: Proof
}

/** Statuses on a HEAD that mean that this upload is over; everything else is a moment's trouble. */
const OVER = new Set([404, 410])

/**
 * One continuous try to bring a file to the server, from start to pause, failure or end. A pause is the end of an
 * attempt: a new one asks the server where to resume, and late callbacks of the old one find nobody.
 */
export class Attempt {
  readonly #chosen: ChosenFile
  readonly #events: AttemptEvents
  readonly #stopped = new AbortController()
  #url: string | null
  #upload: Upload | null = null
  #removed = false

  /** Starts to send a file, resuming at `url` when there is one. */
  constructor(chosen: ChosenFile, url: string | null, events: AttemptEvents) {
    this.#chosen = chosen
    this.#url = url
    this.#events = events
    void this.#run()
  }

  /** Stops sending. The server keeps what it has. */
  stop(): void {
    this.#stopped.abort()
    void this.#upload?.abort()
  }

  /** Stops sending and deletes the upload on the server. Throws when the server could not be told. */
  async remove(): Promise<void> {
    this.#stopped.abort()
    this.#removed = true
    // While the server is still making a place, the request is left to end, so that the place can be deleted.
    if (this.#url === null) return
    await this.#upload?.abort()
    await removeUpload(this.#url)
  }

  get #isLive(): boolean {
    return !this.#stopped.signal.aborted
  }

  async #run(): Promise<void> {
    const { file, proof } = this.#chosen
    for (let failures = 0; this.#isLive; failures += 1) {
      const proved = proof.end
      try {
        await this.#send()
        if (this.#isLive) this.#events.finished()
        return
      } catch (error) {
        if (!this.#isLive) return
        if (error instanceof OtherBytes) return this.#events.differs()
        // No patience brings a file back that the browser cannot read any more.
        if (!passes(error) || !(await readable(file))) return this.#fail(error)
        if (!this.#isLive) return
        this.#events.retrying()
        const wasAway = await servicePresent()
        if (wasAway || proof.end > proved) failures = 0
        const delay = retryDelays[failures]
        if (delay === undefined) return this.#fail(error)
        await pause(delay, this.#stopped.signal)
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#isLive) this.#events.failed(error)
  }

  /** Sends what is missing. Throws why it did not come to an end; never settles when the attempt is stopped. */
  async #send(): Promise<void> {
    // Without this, a file that cannot be read would still get a place on the server.
    await this.#chosen.file.slice(0, 1).arrayBuffer()
    const entry = this.#url === null ? undefined : await entryOf(this.#url)
    return new Promise((resolve, reject) => {
      const upload = new Upload(this.#chosen.file, {
        ...this.#options(),
        onSuccess: () => resolve(),
        onError: (error) => reject(causeOf(error)),
      })
      this.#upload = upload
      if (entry !== undefined) upload.resumeFromPreviousUpload(entry)
      upload.url = this.#url
      if (this.#isLive) upload.start()
    })
  }

  #options(): UploadOptions {
    const { file, fingerprint, proof } = this.#chosen
    return {
      endpoint,
      chunkSize,
      // A further try waits for the service, which tus-js-client cannot do.
      retryDelays: null,
      fingerprint: () => Promise.resolve(fingerprint),
      metadata: { filename: file.name, filetype: file.type },
      onBeforeRequest: (request) => this.#letPass(request),
      onAfterResponse: (request, response) => this.#mayResume(request, response),
      onUploadUrlAvailable: () => this.#located(),
      onProgress: (sent) => {
        if (this.#isLive) this.#events.progress(sent)
      },
      onChunkComplete: (_, sent) => {
        if (this.#url !== null) proof.sent(this.#url, sent)
      },
    }
  }

  /** `abort` does not reach requests that are only being prepared; here they are stopped. Throws to do so. */
  #letPass(request: HttpRequest): void {
    if (this.#isLive || request.getMethod() === 'DELETE') return
    void this.#upload?.abort()
    throw new Error('the upload was stopped')
  }

  /**
   * Keeps tus-js-client from resuming before the server's bytes are proved to be the file's, and from beginning again at 0 when a
   * HEAD fails for whatever reason: only an upload that is gone is worth that. Throws to do so.
   */
  async #mayResume(request: HttpRequest, response: HttpResponse): Promise<void> {
    const status = response.getStatus()
    if (request.getMethod() !== 'HEAD' || OVER.has(status)) return
    if (status >= 400) throw new ServerAnswer(status, response.getBody())
    const offset = Number(response.getHeader('Upload-Offset') ?? Number.NaN)
    if (!Number.isSafeInteger(offset)) throw new ServerAnswer(status, '')
    await this.#chosen.proof.extend(request.getURL(), offset, this.#stopped.signal, (share) => {
      if (this.#isLive) this.#events.checking(share)
    })
  }

  #located(): void {
    const url = this.#upload?.url ?? null
    if (url === null) return
    this.#url = url
    if (this.#isLive) this.#events.located(url)
    if (this.#removed) void this.remove().catch(() => undefined)
  }
}

/** Waits, but not beyond the moment at which `signal` ends it. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** What tus-js-client has wrapped, if it was thrown here. */
function causeOf(error: Error | DetailedError): Error {
  return error instanceof DetailedError && error.causingError instanceof OtherBytes ? error.causingError : error
}

/** Deletes an upload that nothing is being sent to, and what is remembered of it. Throws when the server could not be told. */
export async function removeUpload(url: string): Promise<void> {
  try {
    await Upload.terminate(url, { retryDelays: [...removalDelays] })
  } catch (error) {
    // What is gone already need not be deleted.
    if (!OVER.has(statusOf(error))) throw error
  }
  await forget(url)
}
