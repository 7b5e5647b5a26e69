import { type HttpRequest, type HttpResponse, Upload, type UploadOptions } from 'tus-js-client'
import { toBase64, toHex } from '../digest/sha256.ts'
import { delayFor } from '../service/delay.ts'
import { errorIn, isTemporary, readable, retryAfter, statusOf, tooLargeForProxy } from '../service/problem.ts'
import { Damaged } from './damaged.ts'
import { deleteUpload } from './delete-upload.ts'
import { untilFinished } from './landing.ts'
import { type Context, MAX_RETRY_DELAY, RETRY_DELAYS } from './options.ts'
import { OtherBytes, Proof } from './proof.ts'
import { entryOf } from './remembered.ts'

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
export interface Sending {
  readonly file: File
  /** Its path within a chosen folder, or nothing. */
  readonly path: string
  /** The key under which the browser remembers the upload. */
  readonly fingerprint: string
  /** Shared by all attempts with this file, so no byte is compared twice. */
  proof: Proof | null
  /** The SHA-256 of the file; it may become known while the file is sent. */
  digest: Promise<Uint8Array | null> | null
}

/** Statuses of a HEAD for an upload that no longer exists. */
const GONE = new Set([404, 410])

/** Files up to this size are read for their digest before they are sent, so the server can compare it; bytes. */
const DIGEST_FIRST = 16 * 1024 * 1024

/** Limits of a request after a refusal by a proxy, in bytes. Failures without any response suggest one, too. */
const MAX_SECOND_TRY = 64 * 1024 * 1024
const MIN_REQUEST = 64 * 1024
const MIN_AFTER_SILENCE = 1024 * 1024
const SILENT_FAILURES = 2

/**
 * One continuous upload of a file, from start to pause, failure, or completion. A pause ends the attempt: the next one
 * asks the server for the offset, and late callbacks of the old one are dropped.
 */
export class Attempt {
  readonly #sending: Sending
  readonly #context: Context
  readonly #events: AttemptEvents
  readonly #proof: Proof
  readonly #stopped = new AbortController()
  #url: string | null
  #upload: Upload | null = null
  #removed = false
  /** Whether the server has compared the digest of the file. */
  #isCompared = false

  /** Starts sending a file; resumes the upload at `url` unless that is null. */
  constructor(sending: Sending, url: string | null, context: Context, events: AttemptEvents) {
    this.#sending = sending
    this.#url = url
    this.#context = context
    this.#events = events
    sending.proof ??= new Proof(sending.file, context.service)
    this.#proof = sending.proof
    void this.#run()
  }

  /** Stops sending; the server keeps the received bytes. Does not stop a deletion. */
  stop(): void {
    if (this.#removed) return
    this.#stopped.abort()
    void this.#upload?.abort()
  }

  /** Stops sending and deletes the upload on the server. Throws when that fails. */
  async remove(keepalive: boolean): Promise<void> {
    this.#stopped.abort()
    this.#removed = true
    // A running creation is left to finish: only then is there a URL to delete.
    if (this.#url === null) return
    await this.#upload?.abort()
    await deleteUpload(this.#context.service, this.#url, keepalive)
  }

  get #isLive(): boolean {
    return !this.#stopped.signal.aborted
  }

  async #run(): Promise<void> {
    const { file } = this.#sending
    const proof = this.#proof
    const { presence, visitor } = this.#context.service
    for (let failures = 0; this.#isLive; failures += 1) {
      const proved = proof.end
      try {
        if (!(await this.#isThere())) await this.#send()
        if (this.#isLive) await this.#land()
        if (this.#isLive) this.#events.finished()
        return
      } catch (error) {
        if (!this.#isLive) return
        if (error instanceof OtherBytes) return this.#events.differs()
        const isSmaller = tooLargeForProxy(error) && this.#shrink(MIN_REQUEST)
        // A file that has become unreadable stays so.
        if (!(isSmaller || isTemporary(error)) || !(await readable(file))) return this.#fail(error)
        if (!this.#isLive) return
        if (isSmaller) {
          failures = -1
          continue
        }
        this.#events.retrying()
        const wasAway = await presence.present()
        const wasSignedOut = statusOf(error) === 401 && (await visitor.signedInAgain())
        const wasFruitless = !wasAway && proof.end === proved
        // A proxy may cut the connection before the browser can read its 413.
        if (statusOf(error) === 0 && wasFruitless && failures >= SILENT_FAILURES) this.#shrink(MIN_AFTER_SILENCE)
        // After a conflict, another tab is uploading this file; polling its offset would gain nothing.
        if (wasAway || wasSignedOut || proof.end > proved) failures = statusOf(error) === 409 ? 1 : 0
        const delay = RETRY_DELAYS[failures]
        if (delay === undefined) return this.#fail(error)
        await delayFor(Math.max(delay, Math.min(retryAfter(error), MAX_RETRY_DELAY)), this.#stopped.signal)
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#isLive) this.#events.failed(error)
  }

  /** Halves the requests of all uploads. Returns whether that was possible. */
  #shrink(least: number): boolean {
    const { service, options } = this.#context
    const current = Math.min(options.chunkSize, service.maxRequest, this.#sending.file.size, 2 * MAX_SECOND_TRY)
    if (this.#url === null || current <= least) return false
    service.maxRequest = Math.max(least, Math.ceil(current / 2))
    return true
  }

  /** Whether the server has the content already; the upload has its URL then. */
  async #isThere(): Promise<boolean> {
    if (this.#url !== null) return false
    const { findFinished } = this.#context.options
    const url = await (findFinished === null ? this.#proved() : findFinished(this.#sending.file))
    if (url === undefined) return false
    if (!this.#isLive) {
      // It would be an orphan: the next attempt proves the file again.
      await deleteUpload(this.#context.service, url, true).catch(() => undefined)
      return false
    }
    this.#url = url
    this.#events.located(url)
    return true
  }

  /** Returns the URL of a new upload that need not be sent, because the server has the file. */
  async #proved(): Promise<string | undefined> {
    const { service } = this.#context
    if (service.visitor.session?.instant !== true) return undefined
    const [{ instantUpload }, credentials] = await Promise.all([import('./instant.ts'), service.visitor.credentials()])
    const found = await instantUpload(this.#sending.file, {
      base: service.endpoint,
      headers: () => credentials,
      metadata: this.#named(),
      signal: this.#stopped.signal,
    })
    return found?.url
  }

  /** Sends the missing bytes. Throws the reason of a failure; never settles once the attempt is stopped. */
  async #send(): Promise<void> {
    const { file } = this.#sending
    // An unreadable file must not leave an empty upload on the server.
    await file.slice(0, 1).arrayBuffer()
    const entry = this.#url === null ? undefined : entryOf(this.#url)
    const metadata = await this.#metadata()
    return new Promise((resolve, reject) => {
      const upload = new Upload(file, {
        ...this.#options(),
        metadata,
        onSuccess: () => resolve(),
        onError: (error) => reject(causeOf(error)),
      })
      this.#upload = upload
      if (entry !== undefined) upload.resumeFromPreviousUpload(entry)
      upload.url = this.#url
      if (this.#isLive) upload.start()
    })
  }

  /** Waits until the file is finished, and compares its digest if the server has not. */
  async #land(): Promise<void> {
    const { service } = this.#context
    if (this.#url === null || service.visitor.session?.links === 'plain') return
    const own = this.#isCompared ? null : await this.#sending.digest
    const waiting = (): void => {
      if (this.#isLive) this.#events.scanning()
    }
    const theirs = await untilFinished(service, this.#url, this.#stopped.signal, waiting, own !== null)
    if (own === null || theirs === null || theirs.includes(`sha-256=:${toBase64(own)}:`)) return
    await deleteUpload(service, this.#url).catch(() => undefined)
    throw new Damaged()
  }

  /** The metadata of a file that is not read. */
  #named(): Record<string, string> {
    const { file, path } = this.#sending
    return {
      filename: file.name,
      filetype: file.type,
      ...(path !== '' && { relativePath: path }),
      ...this.#context.options.metadata,
    }
  }

  /** The metadata of a new upload. */
  async #metadata(): Promise<Record<string, string>> {
    const { file } = this.#sending
    const metadata = this.#named()
    if (this.#url !== null || !this.#context.options.checksum) return metadata
    this.#sending.digest ??= this.#context.digestOf(file)
    const digest = file.size <= DIGEST_FIRST ? await this.#sending.digest : null
    if (digest === null) return metadata
    const complete = { ...metadata, sha256: toHex(digest) }
    if (sizeOf(complete) > (this.#context.service.visitor.session?.limits.maxMetadata ?? Number.POSITIVE_INFINITY)) {
      return metadata
    }
    this.#isCompared = true
    return complete
  }

  #options(): UploadOptions {
    const { fingerprint } = this.#sending
    const { service, options } = this.#context
    return {
      endpoint: service.endpoint,
      protocol: options.isDraft ? 'ietf-draft-05' : 'tus-v1',
      chunkSize: Math.min(options.chunkSize, service.maxRequest),
      // Retries wait for the service, which tus-js-client cannot do.
      retryDelays: null,
      fingerprint: () => Promise.resolve(fingerprint),
      storeFingerprintForResuming: options.resumes,
      removeFingerprintOnSuccess: true,
      onBeforeRequest: async (request) => {
        this.#checkRunning(request)
        for (const [name, value] of Object.entries(await service.visitor.credentials())) request.setHeader(name, value)
      },
      onAfterResponse: (request, response) => this.#checkResumable(request, response),
      onUploadUrlAvailable: () => this.#located(),
      onProgress: (sent) => {
        if (this.#isLive) this.#events.progress(sent)
      },
      onChunkComplete: (_, sent) => {
        if (this.#url !== null) this.#proof.sent(this.#url, sent)
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
    const { visitor } = this.#context.service
    const status = response.getStatus()
    if (request.getMethod() !== 'HEAD') return
    // For another visitor, the upload is missing, too; the list then stops this attempt.
    if (GONE.has(status)) return visitor.session?.auth === 'none' ? undefined : visitor.refresh()
    if (status >= 400) throw errorIn(response)
    const offset = Number(response.getHeader('Upload-Offset') ?? Number.NaN)
    if (!Number.isSafeInteger(offset)) throw errorIn(response)
    // During a scan there are no digests, and without digests a file is sent again, which must not happen to a rejected one.
    if (offset === this.#sending.file.size) await this.#land()
    await this.#proof.extend(request.getURL(), offset, this.#stopped.signal, (share) => {
      if (this.#isLive) this.#events.checking(share)
    })
  }

  #located(): void {
    const url = this.#upload?.url ?? null
    if (url === null) return
    this.#url = url
    if (this.#isLive) this.#events.located(url)
    if (this.#removed) void this.remove(false).catch(() => undefined)
  }
}

/** Unwraps an error of this module from that of tus-js-client. */
function causeOf(error: Error): unknown {
  const cause: unknown = 'causingError' in error ? error.causingError : null
  return cause instanceof OtherBytes || cause instanceof Damaged ? cause : error
}

/** Bytes of metadata, as the service counts them: three quarters of the header. */
function sizeOf(metadata: Readonly<Record<string, string>>): number {
  const encoder = new TextEncoder()
  const header = Object.entries(metadata).reduce(
    (sum, [key, value]) => sum + key.length + 2 + Math.ceil(encoder.encode(value).length / 3) * 4,
    0,
  )
  return Math.ceil((header * 3) / 4)
}
