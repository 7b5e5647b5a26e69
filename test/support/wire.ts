import { once } from 'node:events'
import net from 'node:net'

/** A response on a raw connection. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** A connection on which a test sends exact bytes, valid or not. */
export interface Wire {
  /** Resolves when the OS has accepted the bytes. */
  send(...parts: readonly (string | Uint8Array)[]): Promise<void>
  /**
   * The next complete response that is not interim.
   *
   * @param method of its request: the response to a HEAD has no body.
   * @throws Error when the connection ends before it.
   */
  answer(method?: string): Promise<Answer>
  /** The next response, also an interim one (1xx). @throws Error like `answer`. */
  next(method?: string): Promise<Answer>
  /** Resolves when the other side has ended the connection. */
  readonly closed: Promise<void>
  /** Ends the connection; sent bytes still arrive. */
  cut(): Promise<void>
  /** Resets the connection (TCP RST). */
  reset(): Promise<void>
}

/** Connects to a service. @param localAddress the address of this host to connect from. */
export async function connect(base: string, localAddress = '127.0.0.1'): Promise<Wire> {
  const { hostname, port } = new URL(base)
  const socket = net.connect({ host: hostname, port: Number(port), localAddress })
  await once(socket, 'connect')
  socket.setNoDelay(true)
  let received = Buffer.alloc(0)
  let ended = false
  let wake = (): void => undefined
  socket.on('data', (bytes) => {
    received = Buffer.concat([received, bytes])
    wake()
  })
  const closed = new Promise<void>((resolve) => {
    const end = (): void => {
      ended = true
      wake()
      resolve()
    }
    socket.on('error', end).on('close', end).on('end', end)
  })
  const gone = (): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))
  const next = async (method = 'GET'): Promise<Answer> => {
    for (;;) {
      const found = parseAnswer(received, method === 'HEAD')
      if (found !== undefined) {
        received = received.subarray(found.length)
        return found.answer
      }
      if (ended) throw new Error(`The connection ended before a response: ${received.toString('latin1')}`)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    closed,
    next,
    send: (...parts) =>
      new Promise((resolve) => {
        socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))), () => resolve())
      }),
    answer: async (method) => {
      for (;;) {
        const answer = await next(method)
        if (answer.status >= 200) return answer
      }
    },
    cut: async () => {
      if (socket.destroyed) return
      const end = gone()
      socket.destroy()
      await end
    },
    reset: async () => {
      if (socket.destroyed) return
      const end = gone()
      socket.resetAndDestroy()
      await end
    },
  }
}

/** The head of a request, including the empty line. */
export function requestHead(method: string, path: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** The URL of the upload in a response, at the address of the test service: `Host` may have named another. */
export function urlIn({ headers }: Answer, base: string): string {
  return new URL(new URL(headers.get('Location') ?? '', base).pathname, base).href
}

/** Bytes as one piece of the chunked transfer coding; the empty piece ends the body. */
export function codedPiece(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** Polls until the result is true. Only the time limit of the test ends it otherwise. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5))
}

function parseAnswer(bytes: Buffer, bodyless: boolean): { answer: Answer; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const headers = new Headers(lines.map((line): [string, string] => splitLine(line)))
  const length = headEnd + 4 + (bodyless ? 0 : Number(headers.get('Content-Length') ?? '0'))
  if (bytes.length < length) return undefined
  const status = Number(statusLine.split(' ')[1])
  return { answer: { status, headers, body: bytes.subarray(headEnd + 4, length).toString('utf8') }, length }
}

function splitLine(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}
