import { fingerprint } from './fingerprint.ts'
import type { Block, QueuedFile, Uploader } from './library.ts'
import { forget, type Remembered, recall, remember } from './memory.ts'
import type { Answer, Sent, Server } from './server.ts'

/** Bytes of a comparison, which may cover several chunks. */
const COMPARED = 16 * 1024 * 1024
/** Whole new beginnings without the page: the file changes while it is sent, or the server loses it. */
const MAX_RESTARTS = 3

/** The file that each mark stands for on this page. */
const users = new Map<string, QueuedFile>()
/** The service compares one range at a time for each client. */
let comparing: Promise<unknown> = Promise.resolve()

/** How a file is sent, until it is finished or the page gives it up. */
export class Attempt {
  readonly server: Server
  readonly file: QueuedFile
  readonly #uploader: Uploader
  readonly #bytes: Blob
  readonly #chunkSize: number
  readonly chunks: number
  #upload: Remembered
  /** Whether the service has chunks of the upload. */
  #isBegun: boolean
  #restarts = 0
  /** The chunks that the service lists, and those that this page has sent. */
  #listed = new Set<number>()
  readonly #accepted = new Set<number>()
  /** Whether the listed chunks up to this one, and all of them, equal those of the file. */
  #proofs = new Map<number, Promise<boolean>>()
  #proof = Promise.resolve(true)
  /** What the page has sent with the last chunk, or would send. */
  #sent: Sent
  /** The answer to the last chunk of a finished file. */
  stored: Answer | undefined
  /** Set while the file begins again, without the page. */
  isRestarting = false

  private constructor(uploader: Uploader, server: Server, file: QueuedFile, bytes: Blob, upload: Remembered) {
    this.#uploader = uploader
    this.server = server
    this.file = file
    this.#bytes = bytes
    this.#chunkSize = upload.chunkSize
    this.chunks = upload.chunkSize > 0 ? Math.ceil(bytes.size / upload.chunkSize) : 1
    this.#upload = upload
    this.#isBegun = upload.id !== undefined
    this.#sent = this.#unsent()
    if (upload.key !== '') users.set(upload.mark, file)
  }

  /**
   * Begins to send a file, or continues what this browser has sent of it earlier.
   *
   * @param last the last attempt of this page.
   */
  static async begin(uploader: Uploader, server: Server, file: QueuedFile, last: Attempt | undefined) {
    const { chunked, chunkSize = 0 } = uploader.options
    const bytes = file.source.getSource()
    if (!(bytes instanceof Blob)) return undefined
    const size = chunked ? chunkSize : 0
    const isSame = last !== undefined && last.#bytes === bytes && last.#chunkSize === size
    const attempt = isSame
      ? last
      : new Attempt(uploader, server, file, bytes, await uploadOf(server, file, bytes, size))
    attempt.isRestarting = false
    attempt.stored = undefined
    if (attempt.#isBegun) await attempt.#list()
    // Without a list, nothing can be skipped or proved.
    if (!isSame && attempt.#listed.size === 0) attempt.#abandon()
    return attempt
  }

  /** Adds to a chunk what identifies its file. The page has added its own fields before. */
  describe(data: Record<string, unknown>, headers: Record<string, unknown>): void {
    const { mark, task } = this.#upload
    const pageTask = textOf(data['task_id'])
    if (task === undefined) this.#upload = { ...this.#upload, task: pageTask }
    else if (pageTask !== task) Object.assign(data, { task_id: task, ...(pageTask && { landfall_task: pageTask }) })
    data['landfall_file'] = mark
    const texts = Object.entries(headers).map(([name, value]) => [name, String(value)])
    this.#sent = { fields: { ...data }, headers: Object.fromEntries(texts) }
  }

  /** Notes that the service has stored a chunk. */
  accept({ chunk }: Block, answer: Answer): void {
    if (!answer.ok) return
    if (answer.finished) this.stored = answer
    this.#accepted.add(chunk)
    const { key, id } = this.#upload
    const isNews = !this.#isBegun || (answer.id !== undefined && answer.id !== id)
    this.#isBegun = true
    if (!isNews || key === '') return
    this.#upload = { ...this.#upload, id: answer.id }
    remember(this.#upload)
  }

  /**
   * Decides about a chunk: `there` if the service has it, `missing` if it must be sent, `other` if the upload is that of
   * another file. No chunk is sent before all listed ones are proved: otherwise, two files could become one.
   */
  async judge({ chunk }: Block): Promise<'there' | 'missing' | 'other'> {
    const isListed = this.#listed.has(chunk)
    const isProved = await (isListed ? this.#proofs.get(chunk) : this.#proof)
    if (isProved === false) return 'other'
    return isListed ? 'there' : 'missing'
  }

  /**
   * Asked before the first chunk: the file, if the service has all of it. This is the place for other ways to learn
   * that nothing has to be sent.
   */
  async findStored(): Promise<Answer | undefined> {
    if (this.chunks === 1 || this.#listed.size < this.chunks || !(await this.#proof)) return undefined
    const answer = await this.complete().catch(() => undefined)
    if (answer?.ok) return answer
    // At least one chunk must be sent.
    this.#listed.delete(0)
    return undefined
  }

  /** Asks the service for the whole file. Rejects if it does not answer. */
  complete(): Promise<Answer> {
    const { fields, headers } = this.#sent
    const { task, mark } = this.#upload
    const own = { task_id: task, landfall_file: mark, filename: fields['name'] ?? this.file.name }
    return this.server.complete({ headers, fields: { ...fields, ...own } })
  }

  /** Asks for the chunks of the file: then the service knows that the page does not follow an earlier list. */
  async askAgain(): Promise<void> {
    await this.#ask(this.#sent)
  }

  /** Whether the browser can still read the file: it cannot if that has changed on the disk. */
  isReadable(): Promise<boolean> {
    return this.#bytes
      .slice(0, 1)
      .arrayBuffer()
      .then(
        () => true,
        () => false,
      )
  }

  /** The file is there, or never will be. */
  end(): void {
    users.delete(this.#upload.mark)
    forget(this.#upload.mark)
  }

  /**
   * Lets the file begin again without the page; returns false if that has been in vain.
   *
   * @param isOther whether the upload is that of another file.
   */
  restart(isOther: boolean): boolean {
    if (this.#restarts === MAX_RESTARTS) {
      this.#restarts = 0
      return false
    }
    this.#restarts += 1
    if (isOther) this.beginAnew()
    this.isRestarting = true
    return true
  }

  /** Lets the file begin again as a new upload. */
  beginAnew(): void {
    this.#abandon()
    this.isRestarting = true
  }

  #abandon(): void {
    this.end()
    const { key } = this.#upload
    this.#upload = { key, chunkSize: this.#chunkSize, mark: newMark() }
    if (key !== '') users.set(this.#upload.mark, this.file)
    this.#isBegun = false
    this.#accepted.clear()
    this.#listed.clear()
    this.#compare()
  }

  async #list(): Promise<void> {
    this.#listed = await this.#ask(this.#sent)
    // A page may add its token, or another name, to each chunk only.
    if (this.#listed.size === 0) this.#listed = await this.#ask(this.#rehearse())
    // The service never lists chunk 0, but only what follows it.
    if (this.#listed.size > 0) this.#listed.add(0)
    this.#compare()
  }

  async #ask({ fields, headers }: Sent): Promise<Set<number>> {
    const { mark, task } = this.#upload
    const own = { task_id: task, landfall_file: mark, chunks: this.chunks }
    return new Set(await this.server.list({ fields: { ...fields, ...own }, headers }))
  }

  /** What WebUploader sends with a chunk, before the page adds to it. */
  #unsent(): Sent {
    const { formData, headers } = this.#uploader.options
    const { id, name, type } = this.file
    return { fields: { ...formData, id, name, type, size: this.#bytes.size }, headers: { ...headers } }
  }

  /** What the page would send with chunk 0. */
  #rehearse(): Sent {
    const { fields, headers } = this.#unsent()
    const block = { file: this.file, chunk: 0, chunks: this.chunks, start: 0, end: this.#chunkSize }
    this.#uploader.trigger('uploadBeforeSend', block, fields, headers)
    return { fields, headers }
  }

  /** Compares what this page has not sent itself, one range after the other. */
  #compare(): void {
    this.#proofs = new Map()
    this.#proof = Promise.resolve(true)
    const isOpen = (chunk: number): boolean => this.#listed.has(chunk) && !this.#accepted.has(chunk)
    for (let first = 0; first < this.chunks; first++) {
      if (!isOpen(first)) continue
      let end = first + 1
      while (isOpen(end) && (end + 1 - first) * this.#chunkSize <= COMPARED) end++
      const range = [first * this.#chunkSize, Math.min(end * this.#chunkSize, this.#bytes.size)] as const
      const { mark } = this.#upload
      this.#proof = this.#proof.then((isProved) => isProved && mark === this.#upload.mark && this.#hasBytes(range))
      for (let chunk = first; chunk < end; chunk++) this.#proofs.set(chunk, this.#proof)
      first = end - 1
    }
  }

  #hasBytes([start, end]: readonly [number, number]): Promise<boolean> {
    const { id } = this.#upload
    const turn = comparing.then(() => id !== undefined && this.server.hasBytes(id, this.#bytes, start, end, this.#sent))
    comparing = turn
    return turn
  }
}

async function uploadOf(server: Server, file: QueuedFile, bytes: Blob, chunkSize: number): Promise<Remembered> {
  const isSingle = chunkSize === 0 || bytes.size <= chunkSize
  const key = isSingle ? '' : await fingerprint(file.name, bytes, server.base).catch(() => '')
  const known = key === '' ? undefined : recall(key, chunkSize)
  return known !== undefined && !isInUse(known.mark, file) ? known : { key, chunkSize, mark: newMark() }
}

/** Whether another file of this page is being sent under the mark: two files may have one fingerprint. */
function isInUse(mark: string, file: QueuedFile): boolean {
  const user = users.get(mark)
  return user !== undefined && user !== file && ['queued', 'progress', 'interrupt'].includes(user.getStatus())
}

function newMark(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function textOf(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value)
}
