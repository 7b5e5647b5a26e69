import http, { type IncomingMessage, type RequestListener } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setWebRequest } from '../http/web-request.ts'

/** What a request of the Fetch API does not know of its connection. */
export interface ConnectionFacts {
  /** The address of the client. Without it, all clients share the limits of one address. */
  readonly remoteAddress?: string | undefined
}

/** Headers of a single connection (RFC 9110 §7.6.1), which the inner one has itself. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Statuses of which a `Response` must have no body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * The service as a function from `Request` to `Response`, for Next.js, Hono, and others: each request travels over a
 * connection inside of this process, with a real parser at its end, so both ways behave alike. Interim responses are not
 * passed on.
 */
export class Fetched {
  readonly #server: http.Server
  readonly #idleTimeout: number

  /** @param idleTimeout when to give up a response of which nothing is read, in milliseconds. */
  constructor(handler: RequestListener, idleTimeout: number) {
    this.#idleTimeout = idleTimeout
    this.#server = http.createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 }, handler)
  }

  /**
   * @returns a response of 499 when the signal of the request aborts: its client is gone, and frameworks log what throws.
   * @throws TypeError if the body of the request was read before; Error when its body breaks off without a signal.
   */
  readonly fetch = async (request: Request, { remoteAddress }: ConnectionFacts = {}): Promise<Response> => {
    if (request.bodyUsed) throw new TypeError('The body of this request has been read before the upload service.')
    const url = new URL(request.url)
    const [near, far] = connectionPair()
    // The server asks connections for these; a pair of streams has none of them.
    Object.assign(far, { remoteAddress: remoteAddress ?? '127.0.0.1', encrypted: url.protocol === 'https:' })
    setWebRequest(far, request)
    const inner = http.request({
      createConnection: () => near,
      method: request.method,
      path: url.pathname + url.search,
      headers: { host: url.host, ...headersOf(request), ...framingOf(request) },
      signal: request.signal,
    })
    // Not before: headers that no request can have throw, and the connection would stay.
    this.#server.emit('connection', far)
    const answered = responseTo(inner)
    // The response may come, and the connection close, before the whole body is sent.
    if (request.body === null) inner.end()
    else pipeline(chunksOf(request.body), inner).catch(() => undefined)
    try {
      return toWeb(await answered, request.method, this.#idleTimeout)
    } catch (error) {
      if (request.signal.aborted) return new Response(null, { status: 499 })
      throw error
    }
  }
}

/** Two ends of a connection, each of which ends when the other one is closed, as those of a socket do. */
function connectionPair(): [near: Duplex, far: Duplex] {
  const [near, far] = duplexPair()
  near.once('close', () => end(far, near.writableFinished))
  far.once('close', () => end(near, far.writableFinished))
  return [near, far]
}

/** Ends a side after all that it has received. @param isAnnounced whether the other side has announced the end. */
function end(side: Duplex, isAnnounced: boolean): void {
  if (side.destroyed) return
  if (!isAnnounced) side.push(null)
  if (side.readableEnded) side.destroy()
  else side.once('end', () => side.destroy())
}

function headersOf(request: Request): http.OutgoingHttpHeaders {
  return Object.fromEntries([...request.headers].filter(([name]) => !HOP_BY_HOP.has(name)))
}

/** Without a length, Node would send the body of a DELETE or OPTIONS without an end. */
function framingOf({ body, headers }: Request): http.OutgoingHttpHeaders {
  return body === null || headers.has('content-length') ? {} : { 'transfer-encoding': 'chunked' }
}

function responseTo(request: http.ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve).on('error', reject)
    // A body may break off without an error.
    request.once('close', () => reject(new Error('The request broke off.')))
  })
}

function toWeb(response: IncomingMessage, method: string, idleTimeout: number): Response {
  const status = response.statusCode ?? 500
  const headers = new Headers()
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    if (HOP_BY_HOP.has(name)) continue
    for (const value of values ?? []) headers.append(name, value)
  }
  const hasBody = !WITHOUT_BODY.has(status) && method !== 'HEAD'
  if (!hasBody) response.resume()
  return new Response(hasBody ? streamOf(response, idleTimeout) : null, { status, headers })
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value
  } finally {
    // What is left of a refused body is not read.
    await reader.cancel().catch(() => undefined)
  }
}

function streamOf(response: IncomingMessage, idleTimeout: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks: AsyncIterator<Buffer> = response[Symbol.asyncIterator]()
  let idle: NodeJS.Timeout | undefined
  return new ReadableStream({
    pull: async (controller) => {
      clearTimeout(idle)
      const { done, value } = await chunks.next()
      if (done) {
        controller.close()
        return
      }
      controller.enqueue(new Uint8Array(value))
      idle = setTimeout(() => {
        response.destroy()
        controller.error(new Error('Nothing of this response was read for too long.'))
      }, idleTimeout).unref()
    },
    cancel: () => {
      clearTimeout(idle)
      response.destroy()
    },
  })
}
