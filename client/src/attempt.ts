import { DetailedError, type HttpRequest, type HttpResponse, Upload, type UploadOptions } from 'tus-js-client'
import { delayFor } from './delay.ts'
import { untilFinished } from './landing.ts'
import { servicePresent } from './presence.ts'
import { errorIn, isTemporary, readable, retryAfter, statusOf } from './problem.ts'
import { OtherBytes, type Proof } from './proof.ts'
import { entryOf, forget } from './remembered.ts'
import { credentials, currentSession, refreshSession, signedInAgain } from './session.ts'
import { chunkSize, endpoint, maxRetryDelay, removalDelays, retryDelays } from './settings.ts'

/** Callbacks of an attempt. A stopped attempt calls none. */
export interface AttemptEvents {
  /** The upload has a URL, and every byte on the server is the file's. */
  located(url: string): void
  /** The attempt is comparing the server's bytes with the file; a `share` of them, from 0 to 1, is proved. */
  checking(share: number): void
  progress(sent: number): void
  /** The server has every byte, and scans the file. */
  scanning(): void
  /** A request failed temporarily; the attempt retries by itself. */
  retrying(): void
  finished(): void
  /** The server holds bytes of another file. Nothing was appended to them. */
  differs(): void
  failed(error: unknown): void
}

/** A file to send. */
export interface ChosenFile {
  readonly file: File
  /** The key under which the browser remembers the upload. */
  readonly fingerprint: string
  /** Shared by all attempts with this file, so no byte is compared twice. */
  readonly proof: Proof
}

/** Statuses of a HEAD for an upload that no longer exists. */
const GONE = new Set([404, 410])

/**
 * One continuous upload of a file, from start to pause, failure, or completion. A pause ends the attempt: the next one
 * asks the server for the offset, and late callbacks of the old one are dropped.
 */
export class Attempt {
  readonly #chosen: ChosenFile
  readonly #events: AttemptEvents
  readonly #stopped = new AbortController()
  #url: string | null
  #upload: Upload | null = null
  #removed = false

  /** Starts sending a file; resumes the upload at `url` unless that is null. */
  constructor(chosen: ChosenFile, url: string | null, events: AttemptEvents) {
    this.#chosen = chosen
    this.#url = url
    this.#events = events
    void this.#run()
  }

  /** Stops sending; the server keeps the received bytes. Does not stop a deletion. */
  stop(): void {
    if (this.#removed) return
    this.#stopped.abort()
    void this.#upload?.abort()
  }

  /** Stops sending and deletes the upload on the server. Throws when that fails. */
  async remove(): Promise<void> {
    this.#stopped.abort()
    this.#removed = true
    // A running creation is left to finish: only then is there a URL to delete.
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
        if (this.#isLive) await this.#land()
        if (this.#isLive) this.#events.finished()
        return
      } catch (error) {
        if (!this.#isLive) return
        if (error instanceof OtherBytes) return this.#events.differs()
        // A file that has become unreadable stays so.
        if (!isTemporary(error) || !(await readable(file))) return this.#fail(error)
        if (!this.#isLive) return
        this.#events.retrying()
        const wasAway = await servicePresent()
        const wasSignedOut = statusOf(error) === 401 && (await signedInAgain())
        // After a conflict, another tab is uploading this file; polling its offset would gain nothing.
        if (wasAway || wasSignedOut || proof.end > proved) failures = statusOf(error) === 409 ? 1 : 0
        const delay = retryDelays[failures]
        if (delay === undefined) return this.#fail(error)
        await delayFor(Math.max(delay, Math.min(retryAfter(error), maxRetryDelay)), this.#stopped.signal)
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#isLive) this.#events.failed(error)
  }

  /** Sends the missing bytes. Throws the reason of a failure; never settles once the attempt is stopped. */
  async #send(): Promise<void> {
    // An unreadable file must not leave an empty upload on the server.
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

  /** Waits until the file is finished. */
  async #land(): Promise<void> {
    if (this.#url === null || currentSession()?.links === 'plain') return
    await untilFinished(this.#url, this.#stopped.signal, () => {
      if (this.#isLive) this.#events.scanning()
    })
  }

  #options(): UploadOptions {
    const { file, fingerprint, proof } = this.#chosen
    return {
      endpoint,
      chunkSize,
      // Retries wait for the service, which tus-js-client cannot do.
      retryDelays: null,
      fingerprint: () => Promise.resolve(fingerprint),
      metadata: { filename: file.name, filetype: file.type },
      onBeforeRequest: (request) => {
        this.#checkRunning(request)
        authenticate(request)
      },
      onAfterResponse: (request, response) => this.#checkResumable(request, response),
      onUploadUrlAvailable: () => this.#located(),
      onProgress: (sent) => {
        if (this.#isLive) this.#events.progress(sent)
      },
      onChunkComplete: (_, sent) => {
        if (this.#url !== null) proof.sent(this.#url, sent)
      },
    }
  }

  /** Stops requests in preparation, which `abort` does not reach, by throwing. */
  #checkRunning(request: HttpRequest): void {
    if (this.#isLive || request.getMethod() === 'DELETE') return
    void this.#upload?.abort()
    throw new Error('the upload was stopped')
  }

  /**
   * Stops tus-js-client from resuming before the server's bytes are proved to be the file's, and from starting over
   * when a HEAD fails: only a missing upload justifies that. It does so by throwing.
   */
  async #checkResumable(request: HttpRequest, response: HttpResponse): Promise<void> {
    const status = response.getStatus()
    if (request.getMethod() !== 'HEAD') return
    // For another visitor, the upload is missing, too; the list then stops this attempt.
    if (GONE.has(status)) return currentSession()?.auth === 'none' ? undefined : refreshSession()
    if (status >= 400) throw errorIn(response)
    const offset = Number(response.getHeader('Upload-Offset') ?? Number.NaN)
    if (!Number.isSafeInteger(offset)) throw errorIn(response)
    // During a scan there are no digests, and without digests a file is sent again, which must not happen to a rejected one.
    if (offset === this.#chosen.file.size) await this.#land()
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

/** Adds the credentials; a renewed token counts from the next request on. */
function authenticate(request: HttpRequest): void {
  for (const [name, value] of Object.entries(credentials())) request.setHeader(name, value)
}

/** Unwraps an error of this module from that of tus-js-client. */
function causeOf(error: Error | DetailedError): Error {
  return error instanceof DetailedError && error.causingError instanceof OtherBytes ? error.causingError : error
}

/** Deletes an idle upload from the server and from the storage. Throws when the server cannot be reached or refuses. */
export async function removeUpload(url: string): Promise<void> {
  try {
    await Upload.terminate(url, { retryDelays: [...removalDelays], onBeforeRequest: authenticate })
  } catch (error) {
    // It is already deleted.
    if (!GONE.has(statusOf(error))) throw error
  }
  await forget(url)
}
