import { UploadError } from '../../../server/core/errors.ts'
import type { UploadRecord } from '../../../server/core/record.ts'
import type { Source } from '../../../server/core/source.ts'
import type { Upload } from '../../../server/core/upload.ts'
import type { SimulatedNode, World } from './world.ts'

/** What the clients of an upload have been told. */
export class Told {
  /** The highest offset. */
  offset = 0
  /** By position: the byte that is acknowledged. */
  readonly bytes = new Map<number, number>()
  isFinished = false
  isRemoved = false
  /** Errors of the service that no client may see. */
  readonly wrongs: string[] = []
}

/** Errors that may always occur: the client tries again. */
const TRANSIENT = new Set([
  'busy',
  'moved',
  'storage_error',
  'superseded',
  'offset_mismatch',
  'connection_closed',
  'content_differs',
  'stopping',
])

/** A client that uploads one file, by requests to any node. It never waits for a node that has crashed. */
export class Client {
  readonly told: Told
  readonly #world: World
  readonly #record: UploadRecord
  readonly #length: number
  readonly #chunk: number | undefined
  #running: { readonly node: SimulatedNode; readonly source: BrokenSource | undefined } | undefined
  #isCreated = false

  /** @param chunk the size of chunks in bytes; without it, the client appends at the offset. */
  constructor(world: World, record: UploadRecord, told: Told, chunk?: number) {
    this.#world = world
    this.#record = record
    this.#length = record.length ?? 0
    this.told = told
    this.#chunk = chunk
  }

  get isIdle(): boolean {
    return this.#running === undefined
  }

  /** Begins a request, if none is running, or loses patience with the running one. */
  act(): void {
    const { random } = this.#world
    if (this.#running?.node.isCrashed || (this.#running?.node.isPaused && random.chance(0.1))) {
      this.#running.source?.cancel(new UploadError('connection_closed', 'The client is gone.'))
      this.#running = undefined
    }
    if (this.#running !== undefined) return
    if (this.told.isFinished && !random.chance(0.2)) return
    const kind = random.next()
    if (this.#chunk !== undefined && kind < 0.6) {
      this.#run('chunk', (node, source) => this.#putChunk(node, source))
    } else if (this.#chunk === undefined && !this.#isCreated) this.#run('create', (node) => this.#create(node))
    else if (kind < (this.#chunk === undefined ? 0.4 : 0.8)) this.#run('head', (node) => this.#head(node))
    else this.#run('patch', (node, source) => this.#patch(node, source))
  }

  #run(what: string, request: (node: SimulatedNode, source: BrokenSource) => Promise<void>): void {
    const node = this.#world.node
    const source = new BrokenSource(this.#world)
    const running = { node, source }
    this.#running = running
    const wasCreated = this.#isCreated
    const isCurrent = (): boolean => this.#running === running
    this.#world.note(`${what} begins`)
    request(node, source)
      .catch((error: unknown) => this.#failed(what, error, wasCreated))
      .finally(() => {
        if (isCurrent()) this.#running = undefined
      })
  }

  /** @param wasCreated whether the client knew that there is an upload when it began this request. */
  #failed(what: string, error: unknown, wasCreated: boolean): void {
    if (error instanceof UploadError && TRANSIENT.has(error.code)) {
      this.#world.note(`${what}: ${error.code}`)
      return
    }
    if (error instanceof UploadError && error.code === 'not_found' && !wasCreated) return
    this.told.wrongs.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`)
  }

  async #create(node: SimulatedNode): Promise<void> {
    try {
      await node.uploads.create(this.#record, async () => undefined)
    } catch (error) {
      // An earlier request has created it.
      if (!(error instanceof UploadError && error.code === 'internal')) {
        await node.uploads.use(this.#record.id, async () => undefined)
      }
    }
    this.#isCreated = true
  }

  async #head(node: SimulatedNode): Promise<void> {
    const before = this.told.offset
    await node.uploads.use(this.#record.id, async (upload) => {
      await upload.confirm()
      await upload.settle(0)
      if (upload.isMoved) return
      this.#hear('head', upload.offset, before)
      if (upload.state === 'finished') this.told.isFinished = true
    })
  }

  async #patch(node: SimulatedNode, source: BrokenSource): Promise<void> {
    const before = this.told.offset
    const start = this.told.offset
    const bytes = this.#contentFrom(start)
    const count = this.#world.random.chance(0.5) ? bytes.length : this.#world.random.whole(0, bytes.length)
    source.offer(bytes.subarray(0, count))
    await node.uploads.use(this.#record.id, async (upload) => {
      await upload.receiving.append({ start, end: this.#length }, source, 'as-received')
      await this.#settled(upload)
      if (upload.isMoved) return
      const { offset } = upload
      this.#acknowledge(start, bytes.subarray(0, Math.min(count, offset - start)))
      this.#hear('patch', offset, before)
      if (upload.state === 'finished') this.told.isFinished = true
    })
  }

  async #putChunk(node: SimulatedNode, source: BrokenSource): Promise<void> {
    const size = this.#chunk ?? 1
    const last = Math.ceil(this.#length / size) - 1
    const start = this.#world.random.whole(0, last) * size
    const end = Math.min(this.#length, start + size)
    const bytes = this.#contentFrom(start).subarray(0, end - start)
    source.offer(bytes)
    await node.uploads.createTentatively(this.#record, async (upload) => {
      await upload.receiving.put({ start, end }, source)
      await this.#settled(upload)
      if (upload.isMoved) return
      this.#isCreated = true
      this.#acknowledge(start, bytes)
      if (upload.state === 'finished') this.told.isFinished = true
    })
  }

  /** The request with the last byte waits for the file. */
  async #settled(upload: Upload): Promise<void> {
    await upload.settle(0)
  }

  /** A client that appends sends other bytes each time: only those that were acknowledged must stay. */
  #contentFrom(start: number): Buffer {
    const seed = this.#chunk === undefined ? this.#world.random.whole(0, 255) : 0
    return Buffer.from(Array.from({ length: this.#length - start }, (_, i) => (seed + start + i) % 251))
  }

  #acknowledge(start: number, bytes: Buffer): void {
    for (const [i, byte] of bytes.entries()) {
      const known = this.told.bytes.get(start + i)
      if (known !== undefined && known !== byte) this.told.wrongs.push(`Two contents acknowledged at ${start + i}.`)
      this.told.bytes.set(start + i, byte)
    }
  }

  /** @param before what was told when the request began. */
  #hear(what: string, offset: number, before: number): void {
    if (offset < before) this.told.wrongs.push(`${what} tells ${offset} after ${before}.`)
    this.told.offset = Math.max(this.told.offset, offset)
  }
}

/** A body that arrives in pieces, and may break. */
class BrokenSource implements Source {
  readonly waitingSince = undefined
  readonly #world: World
  #left: Buffer = Buffer.alloc(0)
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(world: World) {
    this.#world = world
  }

  offer(bytes: Buffer): void {
    this.#left = bytes
  }

  async read(): Promise<readonly Buffer[] | null> {
    // Bytes arrive at some time.
    if (this.#world.random.chance(0.7)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#world.later(resolve)
      })
    }
    if (this.#failure !== undefined) throw this.#failure
    if (this.#world.breaks) throw new UploadError('connection_closed', 'The connection broke.')
    if (this.#left.length === 0) return null
    const count = this.#world.random.whole(1, this.#left.length)
    const bytes = this.#left.subarray(0, count)
    this.#left = this.#left.subarray(count)
    return [bytes]
  }

  cancel(reason: Error): void {
    this.#failure ??= reason
    this.#wake?.()
  }
}
