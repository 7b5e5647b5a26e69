import { createReadStream, type ReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import Koa from 'koa'
import { RunningDigest } from '../../server/core/digest.ts'
import { UploadError } from '../../server/core/errors.ts'
import type { Range } from '../../server/core/ranges.ts'
import { type DownloadableFile, download } from '../../server/download/download.ts'

const statuses: Partial<Record<string, number>> = {
  precondition_failed: 412,
  range_not_satisfiable: 416,
  storage_error: 503,
}

/** Bytes in which every position differs from its neighbours. */
export function bytes(size: number): Buffer {
  const content = Buffer.alloc(size)
  for (let i = 0; i < size; i++) content[i] = (i * 31 + (i >> 8)) % 251
  return content
}

/** A file whose bytes come from a stream, so a test can observe when it is closed. */
export interface StreamedFile extends DownloadableFile {
  read(range: Range): Readable
}

export interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** A service with one finished file, on a free port; it records reads and errors. */
export class Service {
  readonly folder: string
  readonly path: string
  readonly streams: (Readable | ReadStream)[] = []
  /** The errors that the middleware caught. */
  readonly thrown: unknown[] = []
  /** The errors that Koa reported to the application: it watches the socket itself, and reports every reset. */
  readonly logged: unknown[] = []
  /** Settles with each request. */
  handled: Promise<void> = Promise.resolve()
  file: StreamedFile
  readonly #server: Server
  /** How many connections are open. */
  connections = 0

  static async start(content: Buffer, about: Partial<StreamedFile> = {}): Promise<Service> {
    const folder = await mkdtemp(join(tmpdir(), 'landfall-download-'))
    const service = new Service(folder, content.length, about)
    await writeFile(service.path, content)
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve))
    return service
  }

  private constructor(folder: string, size: number, about: Partial<StreamedFile>) {
    this.folder = folder
    this.path = join(folder, 'content')
    this.file = {
      id: 'an-id',
      size,
      modified: new Date('2026-01-02T03:04:05.678Z'),
      metadata: { filename: 'a.bin', filetype: 'application/x-thing' },
      read: ({ start, end }: Range) => createReadStream(this.path, { start, end: end - 1 }),
      digest: (algorithm) => new RunningDigest(algorithm).complete(size, (range) => this.file.read(range)),
      ...about,
    }
    this.#server = createServer(this.#app().callback())
    this.#server.on('connection', (socket) => {
      this.connections += 1
      socket.once('close', () => {
        this.connections -= 1
      })
    })
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return address.port
  }

  /** Starts a request, and returns the response as soon as its headers have arrived. */
  open(headers: Record<string, string> = {}, { method = 'GET', query = '' } = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = {
        port: this.port,
        host: '127.0.0.1',
        path: `/files/an-id${query}`,
        method,
        headers,
        agent: false,
      }
      request(options, resolve).on('error', reject).end()
    })
  }

  async fetch(
    headers: Record<string, string> = {},
    options: { method?: string; query?: string } = {},
  ): Promise<Answer> {
    const answer = await this.open(headers, options)
    return { status: answer.statusCode, headers: answer.headers, body: await buffer(answer) }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await rm(this.folder, { recursive: true })
  }

  #app(): Koa {
    const app = new Koa()
    app.on('error', (error) => this.logged.push(error))
    app.use((_ctx, next) => {
      const handling = next()
      this.handled = handling
      return handling
    })
    app.use(async (ctx, next) => {
      try {
        await next()
      } catch (error) {
        this.thrown.push(error)
        ctx.status = (error instanceof UploadError ? statuses[error.code] : undefined) ?? 500
        ctx.body = error instanceof UploadError ? `${error.message}\n` : 'unexpected\n'
      }
    })
    app.use((ctx) => download(ctx, { ...this.file, read: (range) => this.#read(range) }))
    return app
  }

  #read(range: Range): Readable {
    const stream = this.file.read(range)
    this.streams.push(stream)
    return stream
  }
}
