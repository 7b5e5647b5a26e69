/** A response. */
export interface Answer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  /** Size of the body in bytes. */
  readonly length: number
  /** The body; empty if `onBody` received it. */
  readonly text: string
  /** Whether the server closes the connection. */
  readonly closes: boolean
}

/** Where the body ends: after that many bytes, with its last chunk, or with the connection. */
type Framing = number | 'chunked' | 'until-close'

interface Head {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
}

/**
 * Parses an HTTP/1.1 response incrementally. Node's own client would cost more than some of the measured servers.
 */
export class AnswerParser {
  readonly #bodiless: boolean
  readonly #onBody: ((bytes: Buffer) => void) | undefined
  #unread: Buffer = Buffer.alloc(0)
  #head: Head | undefined
  #framing: Framing = 0
  #length = 0
  #text = ''

  /**
   * @param bodiless whether the request was a HEAD.
   * @param onBody takes the bytes of the body; they are overwritten after the call.
   */
  constructor(bodiless: boolean, onBody?: (bytes: Buffer) => void) {
    this.#bodiless = bodiless
    this.#onBody = onBody
  }

  /** Parses received bytes. @returns the response once it is complete. @throws Error when it is not HTTP. */
  push(bytes: Buffer): Answer | undefined {
    let rest = bytes
    while (this.#head === undefined) {
      const all = Buffer.concat([this.#unread, rest])
      const end = all.indexOf('\r\n\r\n')
      if (end < 0) {
        this.#unread = all
        return undefined
      }
      this.#unread = Buffer.alloc(0)
      rest = all.subarray(end + 4)
      const head = parseHead(all.toString('latin1', 0, end))
      if (head.status >= 200) this.#begin(head)
    }
    return this.#takeBody(rest)
  }

  /** The server closed the connection. @returns the response if that ends it. */
  end(): Answer | undefined {
    return this.#head !== undefined && this.#framing === 'until-close' ? this.#answer(this.#head) : undefined
  }

  #begin(head: Head): void {
    this.#head = head
    this.#framing = this.#bodiless || head.status === 204 || head.status === 304 ? 0 : framingOf(head.headers)
  }

  #takeBody(bytes: Buffer): Answer | undefined {
    if (this.#head === undefined) return undefined
    if (this.#framing === 'chunked') {
      this.#unread = Buffer.concat([this.#unread, bytes])
      const body = dechunk(this.#unread)
      if (body === undefined) return undefined
      this.#take(body)
      return this.#answer(this.#head)
    }
    this.#take(bytes)
    if (this.#framing === 'until-close' || this.#length < this.#framing) return undefined
    if (this.#length > this.#framing) throw new Error('The body is longer than its Content-Length.')
    return this.#answer(this.#head)
  }

  #take(bytes: Buffer): void {
    this.#length += bytes.length
    if (this.#onBody === undefined) this.#text += bytes.toString('latin1')
    else this.#onBody(bytes)
  }

  #answer({ status, headers }: Head): Answer {
    const closes = this.#framing === 'until-close' || headers.get('connection')?.toLowerCase() === 'close'
    return { status, headers, length: this.#length, text: this.#text, closes }
  }
}

function parseHead(text: string): Head {
  const [first, ...lines] = text.split('\r\n')
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(first ?? '')?.[1]
  if (status === undefined) throw new Error('The response is not HTTP.')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return { status: Number(status), headers: new Map(headers) }
}

function framingOf(headers: ReadonlyMap<string, string>): Framing {
  if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked') return 'chunked'
  const length = headers.get('content-length')
  return length === undefined ? 'until-close' : Number(length)
}

/** The body of a message in chunked coding; undefined while it is incomplete. */
function dechunk(coded: Buffer): Buffer | undefined {
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const endOfLine = coded.indexOf('\r\n', at)
    if (endOfLine < 0) return undefined
    const size = Number.parseInt(coded.toString('latin1', at, endOfLine), 16)
    const end = endOfLine + 2 + size
    if (coded.length < end + 2) return undefined
    if (size === 0) return Buffer.concat(pieces)
    pieces.push(coded.subarray(endOfLine + 2, end))
    at = end + 2
  }
}
