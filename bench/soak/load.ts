import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { isPatternAt, patternAt } from '../client/pattern.ts'
import { OFFSET_STREAM, TUS } from '../client/tus.ts'
import { KIB } from '../sizes.ts'
import { breakChunkOff, chunkCount, expectComplete, type PageFile, sendChunks } from './pages.ts'
import type { Answer, Requests } from './requests.ts'

/** Maximum finished files; older ones are deleted. */
const KEPT = 60
/** Average pause of each client between two tasks, in milliseconds. */
const REST = 40
/** Maximum size of a body, in bytes. */
const LONGEST = 768 * KIB

const APPEND = { ...TUS, 'Content-Type': OFFSET_STREAM }

/** Clients that each run random tasks: complete and aborted uploads, downloads, bad requests. */
export class Load {
  readonly #requests: Requests
  readonly #finished: { readonly path: string; readonly size: number }[] = []
  readonly #failures: string[] = []
  #done = 0
  #isOver = false

  constructor(requests: Requests) {
    this.#requests = requests
  }

  get done(): number {
    return this.#done
  }

  /** Descriptions of unexpected responses. */
  get failures(): readonly string[] {
    return this.#failures
  }

  async run(clients: number): Promise<void> {
    await Promise.all(Array.from({ length: clients }, () => this.#client()))
  }

  stop(): void {
    this.#isOver = true
  }

  async #client(): Promise<void> {
    const works = [
      ...[this.#upload, this.#upload, this.#small, this.#small, this.#page, this.#page, this.#download, this.#download],
      ...[this.#broken, this.#brokenPage, this.#abandon, this.#leave, this.#mistake, this.#mistake, this.#mumble],
      ...[this.#concatenate, this.#check, this.#remove],
    ]
    while (!this.#isOver) {
      const work = works[whole(0, works.length - 1)]
      try {
        await work?.call(this)
      } catch (error) {
        this.#failures.push(error instanceof Error ? error.message : String(error))
      }
      this.#done += 1
      await pause(Math.random() * 2 * REST)
    }
  }

  async #create(size: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const all = { ...TUS, 'Upload-Length': size, ...headers }
    const answer = await this.#requests.expect([201], 'POST', '/files', all)
    return pathIn(answer)
  }

  async #append(path: string, offset: number, length: number): Promise<void> {
    const headers = { ...APPEND, 'Upload-Offset': offset }
    await this.#requests.expect([204], 'PATCH', path, headers, patternAt(offset, length))
  }

  async #upload(): Promise<void> {
    const size = whole(1, LONGEST)
    const path = await this.#create(size, { 'Upload-Metadata': 'filename c29hay5iaW4=' })
    const step = Math.ceil(size / whole(1, 4))
    for (let offset = 0; offset < size; offset += step) await this.#append(path, offset, Math.min(step, size - offset))
    await this.#keep(path, size)
  }

  async #small(): Promise<void> {
    const size = whole(0, 20 * KIB)
    const headers = { ...APPEND, 'Upload-Length': size }
    const answer = await this.#requests.expect([201], 'POST', '/files', headers, patternAt(0, size))
    await this.#keep(pathIn(answer), size)
  }

  async #page(): Promise<void> {
    const file = newPageFile()
    const chunks = [...Array(chunkCount(file)).keys(), 0]
    const path = await sendChunks(
      this.#requests,
      file,
      chunks.sort(() => Math.random() - 0.5),
    )
    await expectComplete(this.#requests, file, 200)
    await this.#keep(path, file.size)
  }

  async #brokenPage(): Promise<void> {
    const file = newPageFile()
    await breakChunkOff(this.#requests, file, 0)
    await sendChunks(this.#requests, file, [...Array(chunkCount(file)).keys()].slice(1))
    await expectComplete(this.#requests, file, 409)
    if (Math.random() < 0.5) return
    await this.#keep(await sendChunks(this.#requests, file, [0]), file.size)
  }

  async #broken(): Promise<void> {
    const size = whole(1000, LONGEST)
    const path = await this.#create(size)
    const headers = { ...APPEND, 'Upload-Offset': 0 }
    await this.#requests.breakOff('PATCH', path, headers, patternAt(0, size), { after: size >> 1 })
    // The bytes before the abort may still be arriving at the time of the HEAD.
    for (let isWhole = false; !isWhole; ) {
      const { headers: received } = await this.#requests.expect([200], 'HEAD', path, TUS)
      const offset = Number(received['upload-offset'])
      const append = { ...APPEND, 'Upload-Offset': offset }
      const { status } = await this.#requests.expect(
        [204, 409],
        'PATCH',
        path,
        append,
        patternAt(offset, size - offset),
      )
      isWhole = status === 204
    }
    await this.#keep(path, size)
  }

  /** Expires. */
  async #abandon(): Promise<void> {
    const path = await this.#create(LONGEST)
    await this.#append(path, 0, whole(1, 100 * KIB))
  }

  async #download(): Promise<void> {
    const file = this.#any()
    if (file === undefined) return
    const start = whole(0, Math.max(0, file.size - 1))
    const range = Math.random() < 0.5 && file.size > 0
    const headers = range ? { Range: `bytes=${start}-` } : {}
    const answer = await this.#requests.expect([200, 206, 410], 'GET', file.path, headers)
    if (answer.status === 410) return
    const [from, length] = range ? [start, file.size - start] : [0, file.size]
    if (answer.body.length !== length || !isPatternAt(from, answer.body)) throw new Error('A download had other bytes.')
  }

  async #leave(): Promise<void> {
    const file = this.#any()
    if (file !== undefined) await this.#requests.leave(file.path, { after: file.size >> 1 })
  }

  async #mumble(): Promise<void> {
    const texts = ['GET /fi', 'POST /upload/accept HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nabc', '\0\0', '']
    await this.#requests.mumble(texts[whole(0, 3)] ?? '', whole(0, 2000))
  }

  async #check(): Promise<void> {
    await this.#requests.expect([200], 'POST', '/check', {}, Buffer.from('POST TEST'))
  }

  async #mistake(): Promise<void> {
    const mistakes: readonly (() => Promise<unknown>)[] = [
      () => this.#requests.expect([404], 'HEAD', `/files/${randomUUID()}`, TUS),
      () => this.#requests.expect([412], 'POST', '/files', { 'Upload-Length': 5 }, Buffer.alloc(50_000)),
      () => this.#requests.expect([400], 'POST', '/files', { ...TUS, 'Upload-Length': '5x' }),
      () => this.#requests.expect([400], 'PUT', '/files', {}, Buffer.alloc(200_000)),
      () => this.#requests.expect([400], 'POST', '/upload/accept?size=x', {}, Buffer.alloc(100)),
      () => this.#requests.expect([404], 'GET', '/upload/complete?task_id=nobody-knows-it', {}),
      async () => {
        const path = await this.#create(1000)
        const headers = { ...APPEND, 'Upload-Offset': 0, 'Upload-Checksum': 'sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }
        await this.#requests.expect([460], 'PATCH', path, headers, patternAt(0, 1000))
        await this.#requests.expect([409], 'PATCH', path, { ...APPEND, 'Upload-Offset': 7 }, patternAt(0, 10))
        await this.#requests.expect([204], 'DELETE', path, TUS)
        await this.#requests.expect([404], 'HEAD', path, TUS)
      },
    ]
    await mistakes[whole(0, mistakes.length - 1)]?.()
  }

  async #concatenate(): Promise<void> {
    const sizes = [whole(1, 50 * KIB), whole(1, 50 * KIB)] as const
    const paths: string[] = []
    let offset = 0
    for (const size of sizes) {
      const headers = { ...APPEND, 'Upload-Length': size, 'Upload-Concat': 'partial' }
      const answer = await this.#requests.expect([201], 'POST', '/files', headers, patternAt(offset, size))
      paths.push(pathIn(answer))
      offset += size
    }
    const headers = { ...TUS, 'Upload-Concat': `final;${paths.join(' ')}` }
    const answer = await this.#requests.expect([201], 'POST', '/files', headers)
    await this.#keep(pathIn(answer), offset)
  }

  async #remove(): Promise<void> {
    const file = this.#finished.shift()
    if (file !== undefined) await this.#requests.expect([204], 'DELETE', file.path, TUS)
  }

  async #keep(path: string, size: number): Promise<void> {
    this.#finished.push({ path, size })
    if (this.#finished.length > KEPT) await this.#remove()
  }

  #any(): { readonly path: string; readonly size: number } | undefined {
    return this.#finished[whole(0, this.#finished.length - 1)]
  }
}

function newPageFile(): PageFile {
  const chunkSize = whole(1000, 100 * KIB)
  return { task: randomUUID(), chunkSize, size: chunkSize * whole(1, 5) + whole(1, chunkSize) }
}

/** Both ends included. */
function whole(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1))
}

/** The path of the upload in a Location header. */
function pathIn({ headers }: Pick<Answer, 'headers'>): string {
  return new URL(headers.location ?? '', 'http://any').pathname
}
