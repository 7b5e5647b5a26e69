import fc from 'fast-check'
import { type Header, utf8 } from '../message.ts'

/** Usually one of the first list, occasionally one of the second. */
export function mostly<T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 40, arbitrary: usual }, { weight: 1, arbitrary: odd })
}

/** Values that should have no effect. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...['', ' ', '0', '-0', '-1', '+1', '1.5', '1e3', '0x10', '007', 'NaN', 'Infinity', 'null', 'undefined', 'true'],
    ...['9007199254740991', '9007199254740992', '18446744073709551616', '9'.repeat(400)],
    ...['..', '.', '../../../etc/passwd', '/etc/passwd', 'C:\\windows\\x', '%00', '%2e%2e%2f', 'a\0b', 'a\tb'],
    ...[
      '__proto__',
      'constructor',
      'toString',
      '{}',
      '[]',
      '[[',
      '"',
      '\\',
      '\\"',
      "'",
      ';',
      ',',
      '=',
      '*',
      '<script>',
    ],
    ...[
      utf8('测试 文件.txt'),
      utf8('emoji😀.txt'),
      utf8('\u202egnp.exe'),
      utf8('e\u0301'),
      '\xff\xfe',
      '\xed\xa0\x80',
      '\xc3',
    ],
    ...['x'.repeat(256), 'x'.repeat(300), 'x'.repeat(8193), 'x'.repeat(20_000)],
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 10 }).map(utf8),
)

/** The same where a line break would end a header. */
export const oddValue: fc.Arbitrary<string> = mostly(
  oddText.map((text) => text.replace(/[\r\n\0]/g, '')),
  fc.constantFrom('a\r\n b', 'a\0b', 'a\nb', '\x7f', '\x01'),
)

const NAMES = [
  ...['Tus-Resumable', 'Upload-Length', 'Upload-Offset', 'Upload-Defer-Length', 'Upload-Metadata', 'Upload-Concat'],
  ...[
    'Upload-Checksum',
    'Content-Type',
    'X-HTTP-Method-Override',
    'Trailer',
    'Range',
    'If-Range',
    'If-Match',
    'Cookie',
  ],
  ...['If-None-Match', 'If-Modified-Since', 'Want-Repr-Digest', 'Origin', 'Access-Control-Request-Method', 'Expect'],
  ...['X-Forwarded-For', 'Forwarded', 'Upload-Draft-Interop-Version', 'Upload-Complete', 'Content-Encoding', 'Te'],
  ...['Content-Disposition', 'Content-Digest', 'Repr-Digest', 'Upload-Limit', 'Via'],
  ...['Access-Control-Request-Headers', 'Upgrade', 'Host', 'Connection', 'Content-Length', 'Transfer-Encoding'],
]

type Edit = {
  readonly kind: 'drop' | 'double' | 'odd' | 'add'
  readonly at: number
  readonly value: string
  readonly name: string
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('drop', 'double', 'odd', 'add'),
  at: fc.nat(12),
  value: oddValue,
  name: fc.constantFrom(...NAMES),
})

/** Removes, doubles, distorts, or adds up to two pairs of a list. */
export function edited(pairs: readonly Header[], edits: readonly Edit[]): readonly Header[] {
  let list = [...pairs]
  for (const { kind, at, value, name } of edits) {
    const index = list.length === 0 ? 0 : at % list.length
    const found = list[index]
    if (kind === 'add' || found === undefined) list.push([name, value])
    else if (kind === 'drop') list = list.toSpliced(index, 1)
    else if (kind === 'double') list.push([found[0], at % 2 === 0 ? found[1] : value])
    else list[index] = [found[0], value]
  }
  return list
}

export const edits: fc.Arbitrary<readonly Edit[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(edit, { minLength: 1, maxLength: 2 }) },
)

/** Contains every pair of bytes. */
const PATTERN = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 31 + (at >> 8) * 7) & 0xff)).toString(
  'latin1',
)

/** Bytes of a file, determined by their position. */
export function bytesOf(start: number, end: number): string {
  return PATTERN.slice(start, end)
}
