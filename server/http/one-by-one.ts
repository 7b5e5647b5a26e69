import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { UploadError } from '../core/errors.ts'
import { headSize } from './head-size.ts'
import { type PartOfRequest, parseFault, type Refuse, requestIn } from './refusal.ts'

/** From how many waiting requests, or bytes of their heads, a connection is not read any further. */
const MANY = 16
const MANY_BYTES = 64 * 1024
/** For how long, in milliseconds, and how much, in bytes, what a refused client still sends is read away. */
const LINGER = 2_000
const LINGER_BYTES = 4 * 1024 * 1024
/** What may lie between the heads that were counted and the bytes that came: spaces that the parser leaves out. */
const SLACK = 1024

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/**
 * The requests of one connection, worked for one after the other. Node hands pipelined requests (RFC 9112 §9.3.2) out as soon as they
 * are read: a client that takes none of its answers would have as many files opened, and their first bytes kept, as it asks for.
 */
export class Line {
  readonly socket: Socket
  readonly #handler: RequestListener
  readonly #refuse: Refuse
  #running: Exchange | undefined
  #waiting: Exchange[] = []
  #waitingBytes = 0
  /** What follows the last request: bytes that are none. */
  #fault: { readonly error: UploadError; readonly request: PartOfRequest } | undefined
  /** How many bytes of the connection had been read when it was refused. */
  #refusedAt: number | undefined
  /** The origin of the last request: pages ask before they send what is large. */
  #origin: string | undefined
  /** Where, in the bytes of the connection, the first head begins that was not handed on yet; unknown while a body comes. */
  #headBegins = 0

  constructor(socket: Socket, handler: RequestListener, refuse: Refuse) {
    this.socket = socket
    this.#handler = handler
    this.#refuse = refuse
    // Node reads on with each answer that is sent.
    socket.on('resume', () => this.#isLong && socket.pause())
  }

  /** How many bytes of heads are held for requests that have not begun, whole or not. */
  get heldBytes(): number {
    return Math.max(0, this.socket.bytesRead - this.#headBegins)
  }

  add(exchange: Exchange): void {
    this.#origin = exchange.request.headers.origin
    if (this.#running === undefined) {
      this.#begin(exchange)
      return
    }
    this.#waiting.push(exchange)
    this.#waitingBytes += headSize(exchange.request)
    if (this.#isLong) this.socket.pause()
  }

  /** Answers what Node could not read as a request, in its turn, and ends the connection. */
  fail(error: Error): void {
    const { socket } = this
    if (this.#fault !== undefined) {
      if (this.#refusedAt !== undefined && socket.bytesRead - this.#refusedAt > LINGER_BYTES) socket.destroy()
      return
    }
    const fault = parseFault(error)
    if (fault === undefined || !socket.writable) {
      socket.destroy(error)
      return
    }
    const found = requestIn(error)
    const request = { ...found, headers: { ...found.headers, origin: found.headers.origin ?? this.#origin } }
    this.#fault = { error: fault, request }
    if (this.#running === undefined) this.#end()
    // The body of a request is what is wrong: nothing more can come of it.
    else if (!this.#running.request.complete) this.#cutOff(this.#running, fault)
  }

  get #isLong(): boolean {
    return this.#waiting.length >= MANY || this.#waitingBytes >= MANY_BYTES
  }

  #begin(exchange: Exchange): void {
    const { request, response } = exchange
    this.#running = exchange
    this.#countHead(exchange)
    response.once('close', () => this.#goOn())
    this.#handler(request, response)
  }

  /** Where the next head begins is known at once, but for a body whose length is not said. */
  #countHead({ request }: Exchange): void {
    const { headers } = request
    if (headers['transfer-encoding'] !== undefined) {
      this.#headBegins = Number.POSITIVE_INFINITY
      request.once('end', () => {
        this.#headBegins = this.socket.bytesRead
      })
      return
    }
    const { bytesRead } = this.socket
    const next = this.#headBegins + headSize(request) + Number(headers['content-length'] ?? 0)
    this.#headBegins = next < bytesRead && bytesRead - next < SLACK ? bytesRead : next
  }

  #goOn(): void {
    this.#running = undefined
    // Nothing can be told any more.
    if (!this.socket.writable) this.#waiting = []
    const wasLong = this.#isLong
    const next = this.#waiting.shift()
    if (next !== undefined) this.#waitingBytes -= headSize(next.request)
    if (wasLong && !this.#isLong) this.socket.resume()
    if (next !== undefined) this.#begin(next)
    else if (this.#fault !== undefined) this.#end()
  }

  /** Sends the last answer. A client sends before it listens: what still comes is read away, so that no reset overtakes the answer. */
  #end(): void {
    const { socket } = this
    if (this.#fault === undefined || !socket.writable) return
    const { error, request } = this.#fault
    this.#refusedAt = socket.bytesRead
    socket.end(this.#refuse(error, request))
    const timer = setTimeout(() => socket.destroy(), LINGER)
    socket.once('end', () => socket.destroy()).once('close', () => clearTimeout(timer))
    socket.resume()
  }

  #cutOff({ request, response }: Exchange, error: UploadError): void {
    const { method = '', url = '', headers } = request
    const path = url.split('?')[0] ?? ''
    if (!response.headersSent) this.socket.write(this.#refuse(error, { method, path, headers }))
    this.socket.destroySoon()
  }
}
