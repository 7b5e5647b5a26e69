import fc from 'fast-check'

/** One damage to the bytes of a message. Positions are fractions of 65,536, so they shrink by themselves. */
export type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'copy'; readonly at: number; readonly length: number; readonly to: number }
  | { readonly kind: 'insert'; readonly at: number; readonly text: string }
  | { readonly kind: 'cut'; readonly at: number }

const WHOLE = 0x10000

/** Bytes that parsers often mishandle. */
const DICTIONARY = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '\0',
    '\t',
    ' ',
    ',',
    ';',
    '=',
    '"',
    '\\',
    ':',
    '/',
    '%',
    '%00',
    '%2e%2e%2f',
    '..',
  ],
  ...['--', '\r\n--', '\r\n ', '-1', '0', '00', '1e9', '0x', '+', '9007199254740992', '99999999999999999999999'],
  ...['\xff', '\xc3', '\xe2\x82', '\xf0\x9f\x98\x80', '\xed\xa0\x80', '\u0080', 'chunked', 'bytes=', 'base64', 'utf-8'],
  ...[
    'HTTP/1.1',
    'GET / HTTP/1.1\r\n',
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    'A: b\r\n',
    '0\r\n\r\n',
  ],
  ...['__proto__', 'constructor', 'null', '[]', '{}', 'W/', '*', 'x'.repeat(300), 'x'.repeat(9000), 'x'.repeat(17_000)],
]

const at = fc.nat(WHOLE - 1)
const length = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 }) },
)

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set' as const), at, byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('remove' as const), at, length }),
  fc.record({ kind: fc.constant('copy' as const), at, length, to: at }),
  fc.record({ kind: fc.constant('insert' as const), at, text: fc.constantFrom(...DICTIONARY) }),
  fc.record({ kind: fc.constant('cut' as const), at }),
)

/** The damaged bytes, one character per byte. */
export function mutate(bytes: string, mutation: Mutation): string {
  const place = (at: number): number => Math.floor((at * bytes.length) / WHOLE)
  const start = place(mutation.at)
  const put = (where: number, text: string, removed = 0): string =>
    bytes.slice(0, where) + text + bytes.slice(where + removed)
  switch (mutation.kind) {
    case 'flip':
      return put(start, String.fromCharCode(bytes.charCodeAt(start) ^ (1 << mutation.bit)), 1)
    case 'set':
      return put(start, String.fromCharCode(mutation.byte), 1)
    case 'remove':
      return put(start, '', mutation.length)
    case 'copy':
      return put(place(mutation.to), bytes.slice(start, start + mutation.length))
    case 'insert':
      return put(start, mutation.text)
    case 'cut':
      return bytes.slice(0, start)
  }
}
