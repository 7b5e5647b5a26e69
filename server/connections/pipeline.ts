import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { UploadError } from '../core/errors.ts'
import { type PartOfRequest, parseFault, type Refuse, requestIn } from './refusal.ts'

/** Reading pauses at this many waiting requests, or this many bytes of their heads. */
const MAX_WAITING = 16
const MAX_WAITING_BYTES = 64 * 1024
/** Limits for discarding what a refused client still sends: milliseconds, and bytes. */
const DISCARD_FOR = 2_000
const MAX_DISCARDED = 4 * 1024 * 1024
/** Tolerance between counted and received bytes: the parser drops whitespace. */
const SLACK = 1024
/** Overhead in bytes: of the request line besides method and target, and of a header line besides name and value. */
const REQUEST_LINE_OVERHEAD = ' '.length + ' HTTP/1.1\r\n'.length + '\r\n'.length
const HEADER_LINE_OVERHEAD = ': \r\n'.length

interface PipelinedRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/**
 * Handles the pipelined requests of one connection (RFC 9112 §9.3.2), one at a time. Node emits requests as soon as it
 * has parsed them: a client that reads no responses could make the service open as many files, and buffer as many first
 * bytes, as it requests.
 */
export class Pipeline {
  readonly socket: Socket
  readonly #handler: RequestListener
  readonly #refuse: Refuse
  #running: PipelinedRequest | undefined
  #waiting: PipelinedRequest[] = []
  #waitingBytes = 0
  /** Set when the bytes after the last request are not a valid request. */
  #fault: { readonly error: UploadError; readonly request: PartOfRequest } | undefined
  /** The bytes read from the connection when it was refused. */
  #refusedAt: number | undefined
  /** The origin of the last request. It serves a later request whose headers cannot be parsed. */
  #origin: string | undefined
  /** The position in the connection at which the first unprocessed head starts; unknown while a body is arriving. */
  #headBegins = 0

  constructor(socket: Socket, handler: RequestListener, refuse: Refuse) {
    this.socket = socket
    this.#handler = handler
    this.#refuse = refuse
    // Node resumes reading after each response.
    socket.on('resume', () => this.#isFull && socket.pause())
  }

  /** Bytes of buffered heads, whole or not, of requests that have not begun. */
  get heldBytes(): number {
    return Math.max(0, this.socket.bytesRead - this.#headBegins)
  }

  add(next: PipelinedRequest): void {
    this.#origin = next.request.headers.origin
    if (this.#running === undefined) {
      this.#begin(next)
      return
    }
    this.#waiting.push(next)
    this.#waitingBytes += headSize(next.request)
    if (this.#isFull) this.socket.pause()
  }

  /** Responds to bytes that Node could not parse as a request, in their turn, and closes the connection. */
  fail(error: Error): void {
    const { socket } = this
    if (this.#fault !== undefined) {
      if (this.#refusedAt !== undefined && socket.bytesRead - this.#refusedAt > MAX_DISCARDED) socket.destroy()
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
    // The body of the running request is malformed: it cannot complete.
    else if (!this.#running.request.complete) this.#cutOff(this.#running, fault)
  }

  get #isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES
  }

  #begin(next: PipelinedRequest): void {
    const { request, response } = next
    this.#running = next
    this.#countHead(next)
    response.once('close', () => this.#beginNext())
    this.#handler(request, response)
  }

  /** Records where the next head starts: at once, unless the length of the body is unknown. */
  #countHead({ request }: PipelinedRequest): void {
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

  #beginNext(): void {
    this.#running = undefined
    // The client can receive no further response.
    if (!this.socket.writable) this.#waiting = []
    const wasFull = this.#isFull
    const next = this.#waiting.shift()
    if (next !== undefined) this.#waitingBytes -= headSize(next.request)
    if (wasFull && !this.#isFull) this.socket.resume()
    if (next !== undefined) this.#begin(next)
    else if (this.#fault !== undefined) this.#end()
  }

  /** Sends the last response, and discards what the client still sends: a TCP reset would discard the response. */
  #end(): void {
    const { socket } = this
    if (this.#fault === undefined || !socket.writable) return
    const { error, request } = this.#fault
    this.#refusedAt = socket.bytesRead
    const { remoteAddress: address = '', bytesRead } = socket
    socket.end(this.#refuse(error, { ...request, address, hasBegun: bytesRead > 0 }))
    const timer = setTimeout(() => socket.destroy(), DISCARD_FOR)
    socket.once('end', () => socket.destroy()).once('close', () => clearTimeout(timer))
    socket.resume()
  }

  #cutOff({ request, response }: PipelinedRequest, error: UploadError): void {
    const { method = '', url = '', headers } = request
    const { remoteAddress: address = '' } = this.socket
    const path = url.split('?')[0] ?? ''
    if (!response.headersSent) {
      this.socket.write(this.#refuse(error, { method, path, headers, address, running: request, hasBegun: true }))
    }
    this.socket.destroySoon()
  }
}

/** The size of a request head in bytes, with the usual whitespace. */
function headSize({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  let size = method.length + url.length + REQUEST_LINE_OVERHEAD + (rawHeaders.length / 2) * HEADER_LINE_OVERHEAD
  for (const text of rawHeaders) size += text.length
  return size
}
