import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** From how many waiting requests on a connection is not read any further. */
const MANY = 16

/**
 * Has the requests of each connection worked for one after the other. Node hands pipelined requests (RFC 9112 §9.3.2) out as soon as
 * they are read: a client that takes none of its answers would have as many files opened, and their first bytes kept, as it asks for.
 */
export function oneByOne(handler: RequestListener): RequestListener {
  const lines = new WeakMap<Socket, Line>()
  return (request, response) => {
    const { socket } = request
    const line = lines.get(socket) ?? new Line(socket, handler)
    lines.set(socket, line)
    line.add({ request, response })
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** The requests of one connection. */
class Line {
  readonly #socket: Socket
  readonly #handler: RequestListener
  #busy = false
  #waiting: Exchange[] = []

  constructor(socket: Socket, handler: RequestListener) {
    this.#socket = socket
    this.#handler = handler
    // Node reads on with each answer that is sent.
    socket.on('resume', () => this.#isLong && socket.pause())
  }

  add(exchange: Exchange): void {
    if (!this.#busy) {
      this.#begin(exchange)
      return
    }
    this.#waiting.push(exchange)
    if (this.#isLong) this.#socket.pause()
  }

  get #isLong(): boolean {
    return this.#waiting.length >= MANY
  }

  #begin({ request, response }: Exchange): void {
    this.#busy = true
    response.once('close', () => this.#goOn())
    this.#handler(request, response)
  }

  #goOn(): void {
    this.#busy = false
    // Nothing can be told any more.
    if (!this.#socket.writable) this.#waiting = []
    const wasLong = this.#isLong
    const next = this.#waiting.shift()
    if (wasLong && !this.#isLong) this.#socket.resume()
    if (next !== undefined) this.#begin(next)
  }
}
