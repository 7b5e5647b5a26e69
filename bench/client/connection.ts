import net from 'node:net'
import { type Answer, AnswerParser } from './answer-parser.ts'
import { LONGEST_PIECE, patternAt } from './pattern.ts'

/** The body of a request: text, then the pattern's bytes from `offset` on, then text. */
export interface Body {
  readonly before?: string
  readonly offset: number
  readonly length: number
  readonly after?: string
}

/** A request of the bench. */
export interface Request {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Body
  /** Receives the bytes of the response; they are overwritten after the call. */
  readonly onBody?: (bytes: Buffer) => void
}

/** Shared by all connections: each read is processed before the next one. */
const received = Buffer.alloc(256 * 1024)

interface Waiting {
  readonly parser: AnswerParser
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/**
 * A persistent connection for one request at a time, reopened when the server closes it. It copies and allocates
 * little, so the client does not limit a server.
 */
export class Connection {
  readonly #port: number
  #socket: net.Socket | undefined
  #waiting: Waiting | undefined

  constructor(port: number) {
    this.#port = port
  }

  /** @returns a response with a status below 400. @throws Error with the response, or the reason of a missing one. */
  async request(request: Request): Promise<Answer> {
    const answer = await this.#exchange(request)
    if (answer.status >= 400) {
      throw new Error(`${request.method} was answered with ${answer.status} ${answer.text.slice(0, 200)}`.trim())
    }
    return answer
  }

  close(): void {
    this.#socket?.destroy()
  }

  async #exchange({ method, path, headers = {}, body, onBody }: Request): Promise<Answer> {
    const socket = this.#open()
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#waiting = { parser: new AnswerParser(method === 'HEAD', onBody), resolve, reject }
    })
    const head = headOf(method, path, this.#port, body === undefined ? headers : withLength(headers, body))
    // A server may respond before it has read everything; that response is more useful than the broken connection.
    const [answer, sent] = await Promise.allSettled([answered, send(socket, head, body)])
    if (answer.status === 'rejected') throw answer.reason
    if (sent.status === 'rejected' && answer.value.status < 400) throw sent.reason
    if (answer.value.closes) socket.destroy()
    return answer.value
  }

  #open(): net.Socket {
    if (this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable) return this.#socket
    const socket = net.connect({
      port: this.#port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: received,
        callback: (length) => {
          this.#take(received.subarray(0, length))
          return true
        },
      },
    })
    let failure = new Error('The server closed the connection without an answer.')
    socket.on('error', (error) => {
      failure = error
    })
    socket.on('close', () => {
      if (this.#socket === socket) this.#closed(failure)
    })
    this.#socket = socket
    return socket
  }

  #take(bytes: Buffer): void {
    try {
      const answer = this.#waiting?.parser.push(bytes)
      if (answer !== undefined) this.#settle((waiting) => waiting.resolve(answer))
    } catch (error) {
      this.#settle((waiting) => waiting.reject(error instanceof Error ? error : new Error(String(error))))
    }
  }

  #closed(failure: Error): void {
    const answer = this.#waiting?.parser.end()
    this.#settle((waiting) => (answer === undefined ? waiting.reject(failure) : waiting.resolve(answer)))
  }

  #settle(how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) how(waiting)
  }
}

/** The first line and headers of a request, with the empty line after them. */
export function headOf(
  method: string,
  path: string,
  port: number,
  headers: Readonly<Record<string, string | number>>,
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines.join('')}\r\n`
}

function withLength(headers: Readonly<Record<string, string | number>>, body: Body) {
  const { before = '', length, after = '' } = body
  return { ...headers, 'Content-Length': Buffer.byteLength(before) + length + Buffer.byteLength(after) }
}

async function send(socket: net.Socket, head: string, body: Body | undefined): Promise<void> {
  const { before = '', offset, length, after = '' } = body ?? { offset: 0, length: 0 }
  socket.cork()
  socket.write(head + before)
  const first = write(socket, patternAt(offset, Math.min(LONGEST_PIECE, length)))
  socket.uncork()
  await first
  for (let at = LONGEST_PIECE; at < length; at += LONGEST_PIECE) {
    await write(socket, patternAt(offset + at, Math.min(LONGEST_PIECE, length - at)))
  }
  if (after !== '') await write(socket, after)
}

/** Resolves when the OS has accepted the bytes. */
function write(socket: net.Socket, bytes: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error == null ? resolve() : reject(error)))
  })
}
