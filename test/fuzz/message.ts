import fc from 'fast-check'
import { codedPiece } from '../support/wire.ts'

export type Header = readonly [name: string, value: string]

/** A request before its bytes are damaged. All text has one character (U+0000 to U+00FF) per byte. */
export interface Message {
  readonly method: string
  readonly target: string
  readonly headers: readonly Header[]
  readonly body: string
  readonly framing: Framing
}

/**
 * How the end of the body is marked. `wrong` adds to Content-Length, `coded` cuts the body into pieces of the transfer
 * coding.
 */
export type Framing =
  | { readonly kind: 'length' | 'none' | 'both' }
  | { readonly kind: 'wrong'; readonly by: number }
  | {
      readonly kind: 'coded'
      readonly pieces: number
      readonly extension: string
      readonly trailers: readonly Header[]
    }

/** Text in UTF-8 as the text of a message. */
export function utf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** Whether the end of the message is unambiguous, so a response must follow. */
export function isWellFramed({ method, target, headers, body, framing }: Message): boolean {
  const isPlain = /^[A-Z]+$/.test(method) && /^\/[\x21-\x7e]*$/.test(target) && method !== 'CONNECT'
  const isFramed =
    framing.kind === 'length' ||
    (framing.kind === 'none' && body === '') ||
    (framing.kind === 'coded' && framing.extension === '' && framing.trailers.every(isPlainHeader))
  return isPlain && isFramed && headers.every(isPlainHeader)
}

function isPlainHeader([name, value]: Header): boolean {
  if (/^expect$/i.test(name)) return value === '100-continue'
  if (/^(content-length|transfer-encoding|connection|upgrade|host)$/i.test(name)) return false
  return /^[A-Za-z-]+$/.test(name) && /^[\x20-\x7e\x80-\xff]{0,6000}$/.test(value)
}

/** The bytes of a message. @param isLast whether the connection closes after its response. */
export function render(message: Message, isLast: boolean): string {
  const { method, target, headers, body, framing } = message
  const all: Header[] = [['Host', 'localhost'], ...headers, ...framingHeaders(body, framing)]
  if (isLast) all.push(['Connection', 'close'])
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `${method} ${target} HTTP/1.1\r\n${lines}\r\n${framing.kind === 'coded' ? coded(body, framing) : body}`
}

function framingHeaders(body: string, framing: Framing): Header[] {
  const length: Header = ['Content-Length', String(body.length)]
  const coding: Header = ['Transfer-Encoding', 'chunked']
  if (framing.kind === 'length') return [length]
  if (framing.kind === 'wrong') return [['Content-Length', String(Math.max(0, body.length + framing.by))]]
  if (framing.kind === 'both') return [length, coding]
  return framing.kind === 'coded' ? [coding] : []
}

function coded(body: string, { pieces, extension, trailers }: Extract<Framing, { kind: 'coded' }>): string {
  const size = Math.max(1, Math.ceil(body.length / pieces))
  let text = ''
  for (let at = 0; at < body.length; at += size) {
    const piece = codedPiece(Buffer.from(body.slice(at, at + size), 'latin1')).toString('latin1')
    text += piece.replace('\r\n', `${extension}\r\n`)
  }
  return `${text}0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

const trailer = fc.constantFrom<Header>(
  ['Upload-Checksum', 'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
  ['Upload-Checksum', 'md5'],
  ['Content-Digest', 'md5=:AAAAAAAAAAAAAAAAAAAAAA==:'],
  ['Upload-Complete', '?0'],
  ['Content-Length', '5'],
  ['X-Odd', ''],
)

/** Usually a correct Content-Length. */
export const framing: fc.Arbitrary<Framing> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Framing>({ kind: 'length' }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('coded' as const),
      pieces: fc.integer({ min: 1, max: 5 }),
      extension: fc.constantFrom('', '', '', ';a', ';a=b', ';a="b;c"', ';', ' ', ';\x01'),
      trailers: fc.array(trailer, { maxLength: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Framing>({ kind: 'none' }, { kind: 'both' }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wrong' as const), by: fc.constantFrom(-10, -1, 1, 2, 1000, 2 ** 32) }),
  },
)
