/** A response as received. Header names are in lower case, text has one character per byte. */
export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  /** Decoded from the chunked transfer coding. */
  readonly body: string
}

const STATUS = /^HTTP\/1\.1 ([1-9]\d\d) [\t\x20-\x7e\x80-\xff]*$/
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/
/** Headers that may be repeated. */
const LISTS = new Set(['set-cookie', 'vary'])

/**
 * Parses the responses on a connection strictly (RFC 9112): every byte must belong to one.
 *
 * @param methods of the requests, in order; if unknown, each may be a HEAD, whose response states a length and has no
 * body.
 * @param isCut whether the client ended the connection, so the last response may be incomplete.
 * @throws Error if it is not a sequence of responses.
 */
export function parseAnswers(
  received: string,
  methods: readonly string[] | undefined,
  isCut: boolean,
): readonly Answer[] {
  if (received === '') return []
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) {
    if (isCut && 'HTTP/1.1 '.startsWith(received.slice(0, 9))) return []
    throw new Error('The head of a response is incomplete.')
  }
  const head = parseHead(received.slice(0, headEnd))
  const rest = received.slice(headEnd + 4)
  const [method, ...others] = methods ?? []
  const next = head.status < 200 ? methods : methods && others
  const none = methods === undefined || method === 'HEAD' ? [{ body: '', length: 0 }] : []
  const whole = method === 'HEAD' ? [] : bodyIn(head, rest, isCut)
  let failure = new Error('The body of an answer is not complete.')
  for (const { body, length } of [...whole, ...none]) {
    try {
      return [{ ...head, body }, ...parseAnswers(rest.slice(length), next, isCut)]
    } catch (error) {
      if (error instanceof Error) failure = error
    }
  }
  throw failure
}

/** The responses to each request, the interim ones first. */
export function byRequest(answers: readonly Answer[]): readonly (readonly Answer[])[] {
  const ends = answers.flatMap(({ status }, at) => (status >= 200 ? [at + 1] : []))
  if (ends.at(-1) !== answers.length) ends.push(answers.length)
  return ends.map((end, i) => answers.slice(ends[i - 1] ?? 0, end))
}

function parseHead(text: string): Omit<Answer, 'body'> {
  const [first = '', ...lines] = text.split('\r\n')
  const status = Number(STATUS.exec(first)?.[1])
  if (Number.isNaN(status)) throw new Error(`No status line: ${JSON.stringify(first.slice(0, 200))}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name = '', value = ''] = HEADER.exec(line) ?? []
    if (name === '') throw new Error(`No header: ${JSON.stringify(line.slice(0, 200))}`)
    const lower = name.toLowerCase()
    if (headers.has(lower) && !LISTS.has(lower)) throw new Error(`${name} is repeated.`)
    headers.set(lower, value.trim())
  }
  return { status, headers }
}

/** The body that the head describes, and its size in the stream; `undefined` if it is incomplete. */
function bodyIn(head: Omit<Answer, 'body'>, rest: string, isCut: boolean): { body: string; length: number }[] {
  const length = head.headers.get('content-length')
  const coding = head.headers.get('transfer-encoding')
  if (length !== undefined && coding !== undefined) throw new Error('A response has a length and a transfer coding.')
  if (head.status < 200 || head.status === 204 || head.status === 304) {
    if (coding !== undefined || (length !== undefined && head.status !== 304)) {
      throw new Error(`A ${head.status} announces a body.`)
    }
    return [{ body: '', length: 0 }]
  }
  if (coding === 'chunked') return decoded(rest, isCut)
  if (coding !== undefined) throw new Error(`Unknown transfer coding ${coding}.`)
  if (length === undefined) {
    // Only the response to a HEAD may have no length, because it has no body.
    if (head.headers.get('connection') !== 'close') return []
    return [{ body: rest, length: rest.length }]
  }
  if (!/^\d+$/.test(length)) throw new Error(`Content-Length is ${length}.`)
  if (rest.length >= Number(length)) return [{ body: rest.slice(0, Number(length)), length: Number(length) }]
  return isCut ? [{ body: rest, length: rest.length }] : []
}

function decoded(rest: string, isCut: boolean): { body: string; length: number }[] {
  let body = ''
  let at = 0
  for (;;) {
    const [line, digits = ''] = /^([0-9a-f]+)\r\n/.exec(rest.slice(at, at + 20)) ?? []
    if (line === undefined) return isCut ? [{ body, length: rest.length }] : []
    at += line.length
    const size = Number.parseInt(digits, 16)
    body += rest.slice(at, at + size)
    at += size + 2
    if (rest.slice(at - 2, at) !== '\r\n') return isCut ? [{ body, length: rest.length }] : []
    if (size === 0) return [{ body, length: at }]
  }
}
