import { createHash } from 'node:crypto'
import { bytesOf } from '../support/bytes.ts'
import type { Random } from '../support/random.ts'
import { TUS } from '../support/tus.ts'
import { BOUNDARY, type ChunkFields, fileFields, multipartBody } from '../support/webuploader.ts'

const TYPE = { 'Content-Type': 'application/offset+octet-stream' } as const

/** A file that clients have sent, completely or partly. */
export interface SentFile {
  readonly kind: 'tus' | 'part' | 'final' | 'webuploader'
  readonly name: string
  readonly content: Buffer<ArrayBuffer>
  /** The parts of a final upload. */
  readonly parts: readonly SentFile[]
  /** `/files/<id>`, once a response has named it. */
  path: string | undefined
  readonly fields?: ChunkFields
  readonly chunkSize?: number
}

type Headers = Readonly<Record<string, string>>

/** Clients of both protocols, which send files in all ways that leave different traces on disk. */
export class Load {
  readonly files: SentFile[] = []
  readonly #random: Random
  readonly #seed: number
  readonly #halfway: () => Promise<string>
  #base = ''

  /**
   * @param halfway waits until all clients are halfway, and returns the URL of the program, which may have been
   * restarted.
   */
  constructor(random: Random, seed: number, halfway: () => Promise<string>) {
    this.#random = random
    this.#seed = seed
    this.#halfway = halfway
  }

  /** Runs all clients concurrently. Each calls `halfway` once. */
  get clients(): readonly (() => Promise<unknown>)[] {
    return [
      () => this.#plain(200_000, 'finished'),
      () => this.#plain(90_000, 'finished'),
      () => this.#plain(120_000, 'unfinished'),
      () => this.#plain(70_000, 'deleted'),
      () => this.#whole(),
      () => this.#whole(),
      () => this.#verified('finished'),
      () => this.#verified('unfinished'),
      () => this.#verified('deleted'),
      () => this.#concatenated('finished'),
      () => this.#concatenated('deleted'),
      () => this.#page('finished'),
      () => this.#page('unfinished'),
      () => this.#page('deleted'),
    ]
  }

  async run(base: string): Promise<void> {
    this.#base = base
    await Promise.all(this.clients.map((client) => client()))
  }

  async #half(): Promise<void> {
    this.#base = await this.#halfway()
  }

  /** Bytes that count as they arrive, some of them with the creation. */
  async #plain(size: number, end: 'finished' | 'unfinished' | 'deleted'): Promise<void> {
    const file = this.#file('tus', size)
    const first = this.#random.chance(0.5) ? this.#random.whole(1, size / 2) : 0
    await this.#create(file, { 'Upload-Length': String(size) }, file.content.subarray(0, first))
    let offset = await this.#append(file, first, this.#random.whole(first + 1, size / 2))
    await this.#half()
    while (offset < (end === 'unfinished' ? (size * 2) / 3 : size)) {
      offset = await this.#append(file, offset, Math.min(size, offset + this.#random.size(1_000, 60_000)))
    }
    await this.#head(file)
    if (end === 'deleted') await this.#remove(file)
  }

  /** Small files that arrive completely with their creation, one after the other, and an empty one. */
  async #whole(): Promise<void> {
    for (const size of [0, 5_000, 60_000, 1]) {
      if (size === 60_000) await this.#half()
      const file = this.#file('tus', size)
      await this.#create(file, { 'Upload-Length': String(size) }, file.content)
      if (size === 5_000) await this.#remove(file)
    }
  }

  /** Bytes with checksums and a deferred length; some are refused, beyond the end that is stated later. */
  async #verified(end: 'finished' | 'unfinished' | 'deleted', kind: 'tus' | 'part' = 'tus'): Promise<SentFile> {
    const file = this.#file(kind, this.#random.whole(20_000, 70_000))
    const { length } = file.content
    await this.#create(file, { 'Upload-Defer-Length': '1', ...(kind === 'part' && { 'Upload-Concat': 'partial' }) })
    await this.#refused(file, 0, length + 20_000)
    const half = this.#random.whole(1, length - 1)
    await this.#append(file, 0, half, this.#random.chance(0.5) ? {} : checksum(file.content.subarray(0, half)))
    if (kind === 'tus') await this.#half()
    await this.#refused(file, half, length)
    if (end === 'unfinished') return file
    const rest = file.content.subarray(half)
    await this.#append(file, half, length, { ...checksum(rest), 'Upload-Length': String(length) })
    await this.#head(file)
    if (end === 'deleted') await this.#remove(file)
    return file
  }

  /** A final upload; some of its parts are complete before its creation. */
  async #concatenated(end: 'finished' | 'deleted'): Promise<void> {
    const first = await this.#verified('finished', 'part')
    const [second, third] = [this.#file('part', 30_000), this.#file('part', 10)]
    for (const part of [second, third]) {
      await this.#create(part, { 'Upload-Length': String(part.content.length), 'Upload-Concat': 'partial' })
    }
    await this.#append(third, 0, 10)
    await this.#append(second, 0, 10_000)
    const parts = [first, second, third]
    const final = this.#add({ kind: 'final', content: Buffer.concat(parts.map(({ content }) => content)), parts })
    await this.#half()
    const isEarly = end === 'deleted'
    if (isEarly) await this.#join(final)
    await this.#append(second, 10_000, 30_000)
    if (!isEarly) await this.#join(final)
    while ((await this.#head(final)).headers.get('Upload-Offset') === null);
    if (end === 'deleted') await this.#remove(final)
  }

  /** Chunks of a WebUploader page, three at a time, in any order. */
  async #page(end: 'finished' | 'unfinished' | 'deleted'): Promise<void> {
    const size = this.#random.whole(60_000, 150_000)
    const chunkSize = this.#random.whole(8_000, 30_000)
    const made = this.#file('webuploader', size)
    const file = { ...made, fields: fileFields(made.name, size, `a task of ${made.name}`), chunkSize }
    this.files[this.files.indexOf(made)] = file
    const chunks = this.#random.shuffled([...Array(Math.ceil(size / chunkSize)).keys()])
    const half = Math.floor(chunks.length / 2)
    await this.#chunks(file, chunks.slice(0, half))
    await this.#half()
    await this.#chunks(file, end === 'unfinished' ? chunks.slice(half, -1) : chunks.slice(half))
    if (end === 'unfinished') return
    const query = new URLSearchParams({ task_id: `a task of ${made.name}`, filename: made.name })
    const answer = await this.#send(file, 'GET', `/upload/complete?${query}`)
    await expectStatus(answer, 200)
    if (end === 'deleted') await this.#remove(file)
  }

  async #chunks(file: SentFile, chunks: readonly number[]): Promise<void> {
    const { fields = { size: 0 }, chunkSize = 1, content } = file
    const queue = [...chunks]
    const one = async (): Promise<void> => {
      for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
        const [start, end] = [chunk * chunkSize, Math.min(content.length, (chunk + 1) * chunkSize)]
        const all = { ...fields, chunks: Math.ceil(content.length / chunkSize), chunk }
        const type = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`, 'X-Range': `${start}-${end}` }
        const body = multipartBody(all, content.subarray(start, end))
        let answer = await this.#send(file, 'POST', '/upload/accept', type, body)
        // The positions of the first chunks may be unknown.
        while (answer.status === 409) answer = await this.#send(file, 'POST', '/upload/accept', type, body)
        await expectStatus(answer, 200)
        const { url }: { url: string } = JSON.parse(await answer.text())
        file.path = url
      }
    }
    await Promise.all([one(), one(), one()])
  }

  async #create(file: SentFile, headers: Headers, body?: Uint8Array<ArrayBuffer>): Promise<void> {
    const metadata = { 'Upload-Metadata': `filename ${Buffer.from(file.name).toString('base64')}` }
    const type = body === undefined || body.length === 0 ? {} : TYPE
    const answer = await this.#send(file, 'POST', '/files', { ...metadata, ...headers, ...type }, body)
    await expectStatus(answer, 201)
    file.path = new URL(answer.headers.get('Location') ?? '', this.#base).pathname
  }

  async #join(final: SentFile): Promise<void> {
    await this.#create(final, { 'Upload-Concat': `final;${final.parts.map(({ path }) => path).join(' ')}` })
  }

  /** @returns the offset afterwards. */
  async #append(file: SentFile, start: number, end: number, headers: Headers = {}): Promise<number> {
    const all = { ...TYPE, 'Upload-Offset': String(start), ...headers }
    const answer = await this.#send(file, 'PATCH', String(file.path), all, file.content.subarray(start, end))
    await expectStatus(answer, 204)
    return Number(answer.headers.get('Upload-Offset'))
  }

  async #refused(file: SentFile, start: number, end: number): Promise<void> {
    const other = Buffer.alloc(end - start, '?')
    const headers = { ...TYPE, 'Upload-Offset': String(start), ...checksum(Buffer.from('of other bytes')) }
    await expectStatus(await this.#send(file, 'PATCH', String(file.path), headers, other), 460)
  }

  async #head(file: SentFile): Promise<Response> {
    const answer = await this.#send(file, 'HEAD', String(file.path))
    await expectStatus(answer, 200)
    return answer
  }

  async #remove(file: SentFile): Promise<void> {
    await expectStatus(await this.#send(file, 'DELETE', String(file.path)), 204)
  }

  #send(file: SentFile, method: string, path: string, headers: Headers = {}, body?: Uint8Array<ArrayBuffer>) {
    // The file of the request, for the recording.
    const all = { ...TUS, 'X-File': String(this.files.indexOf(file)), ...headers }
    return fetch(`${this.#base}${path}`, { method, headers: all, ...(body?.length ? { body } : {}) })
  }

  #file(kind: SentFile['kind'], size: number): SentFile {
    const content = bytesOf(size, this.#seed + this.files.length)
    return this.#add({ kind, content: Buffer.from(content), parts: [] })
  }

  #add(file: Pick<SentFile, 'kind' | 'content' | 'parts'>): SentFile {
    const added = { ...file, name: `file ${this.files.length}.bin`, path: undefined }
    this.files.push(added)
    return added
  }
}

function checksum(bytes: Uint8Array): Headers {
  return { 'Upload-Checksum': `sha1 ${createHash('sha1').update(bytes).digest('base64')}` }
}

async function expectStatus(answer: Response, status: number): Promise<void> {
  if (answer.status !== status)
    throw new Error(`${answer.status} instead of ${status} from ${answer.url}: ${await answer.text()}`)
}
