import { once } from 'node:events'
import http from 'node:http'
import { membersOf, type RecordedRequest } from '../../legacy-adapter/dialects/draft.ts'

/** Maximum body of a recorded request in bytes: it is buffered. */
const LONGEST_BODY = 128 * 1024 * 1024
/** Maximum requests to record. */
const MOST_REQUESTS = 1000

/** A listener that records the requests of a page. */
export interface Recorder {
  readonly url: string
  readonly requests: readonly RecordedRequest[]
  /** Resolves when a file was sent and nothing has come for `ms` milliseconds. */
  quiet(ms: number): Promise<void>
  close(): void
}

/**
 * Opens a listener that answers every request with success, or as another server does.
 *
 * @param forward the origin of that server.
 * @throws Error when the port is not available.
 */
export async function recordRequests(host: string, port: number, forward: URL | undefined): Promise<Recorder> {
  const requests: RecordedRequest[] = []
  let last = performance.now()
  const server = http.createServer((request, response) => {
    last = performance.now()
    allowPage(request, response)
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end()
      return
    }
    handle(request, response).catch(() => response.destroy())
  })
  const handle = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const body = await bodyOf(request)
    if (body === undefined || requests.length === MOST_REQUESTS) {
      response.writeHead(413, { Connection: 'close' }).end()
      return
    }
    requests.push(await recorded(request, body))
    last = performance.now()
    if (forward === undefined) {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"success":true}')
      return
    }
    const target = new URL(request.url ?? '/', forward)
    const { host: _, connection: __, ...headers } = request.headers
    const forwarded = http.request(target, { method: request.method ?? 'GET', headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    forwarded.end(body)
  }
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  const used = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host}:${used}`,
    requests,
    quiet: (ms) =>
      new Promise((resolve) => {
        const timer = setInterval(() => {
          if (!requests.some(({ file }) => file !== undefined) || performance.now() - last < ms) return
          clearInterval(timer)
          resolve()
        }, 50)
      }),
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Lets a page of any origin record: nothing is here that it could read. */
function allowPage({ headers }: http.IncomingMessage, response: http.ServerResponse): void {
  const { origin } = headers
  if (origin === undefined) return
  response.setHeader('Access-Control-Allow-Origin', origin)
  response.setHeader('Access-Control-Allow-Credentials', 'true')
  response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE')
  response.setHeader('Access-Control-Allow-Headers', headers['access-control-request-headers'] ?? '*')
}

async function bodyOf(request: http.IncomingMessage): Promise<Buffer<ArrayBuffer> | undefined> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request) {
    if (!Buffer.isBuffer(piece)) continue
    length += piece.length
    if (length > LONGEST_BODY) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

async function recorded(
  { method = 'GET', url = '/', headers }: http.IncomingMessage,
  body: Buffer<ArrayBuffer>,
): Promise<RecordedRequest> {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  const type = headers['content-type'] ?? ''
  const form = new Map<string, string>()
  let file: RecordedRequest['file']
  let isFileFirst = false
  if (/^(?:multipart\/form-data|application\/x-www-form-urlencoded)/i.test(type)) {
    const parsed = await new Response(body, { headers: { 'Content-Type': type } }).formData().catch(() => undefined)
    for (const [name, value] of parsed ?? []) {
      if (typeof value === 'string') {
        form.set(name, value)
        isFileFirst ||= file !== undefined
      } else file = { name: value.name, length: value.size }
    }
  } else if (type.startsWith('application/json')) {
    for (const [name, value] of membersOf(body.toString())) form.set(name, value)
  } else if (body.length > 0) file = { name: undefined, length: body.length }
  const lines = Object.entries(headers).map(([name, value]) => [name, String(value)] as const)
  return { method, path: pathname, query: new Map(searchParams), form, headers: new Map(lines), file, isFileFirst }
}
