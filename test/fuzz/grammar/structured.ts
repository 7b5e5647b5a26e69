import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { Header } from '../message.ts'
import { mostly, oddText } from './text.ts'

/** Structured fields (RFC 9651) of other types, with parameters, too large, more than one, or broken. */
const oddItem = fc.oneof(
  fc.constantFrom(
    ...['?1;a', '?0;a=1;b="c"', '?2', '?', '? 1', '?1, ?1', '?0, ?1', ' ?1', '?1 ', '?1;', '?T', 'a;b=?1'],
    ...['5;a=1', '5;a;b=:AA==:', '5.0', '0.001', '-5', '-0', '0005', '5, 5', '5,', ' 5', '5;'],
    ...['999999999999999', '9999999999999999', '999999999999.999', '-999999999999999', '4503599627370496'],
    ...['"5"', '"\\"', ':AAAA:', ':A', '(1 2)', '(1', '()', '@5', '@5.5', '%"a"', '%"%c3"', 'token', '*', '=:'],
    `5${';a=1'.repeat(1000)}`,
    `${'('.repeat(3000)}`,
  ),
  oddText,
)

/** A valid header; occasionally missing, repeated, or of another type. */
export function field(name: string, usual: fc.Arbitrary<string>): fc.Arbitrary<readonly Header[]> {
  const odd = oddItem.map((text) => text.replace(/[\r\n\0]/g, ''))
  return mostly(
    usual.map((value): Header[] => [[name, value]]),
    fc.oneof(
      fc.constant<Header[]>([]),
      odd.map((value): Header[] => [[name, value]]),
      fc.tuple(usual, fc.oneof(usual, odd)).map(([first, second]): Header[] => [
        [name, first],
        [name, second],
      ]),
    ),
  )
}

const NAMES: Readonly<Record<string, string>> = { 'sha-256': 'sha256', 'sha-512': 'sha512', sha: 'sha1', md5: 'md5' }

/** The value of a digest field (RFC 9530) for these bytes: right, wrong, or broken. */
export function digests(bytes: string): fc.Arbitrary<string> {
  const right = Object.entries(NAMES).map(([name, algorithm]) => {
    const digest = createHash(algorithm).update(Buffer.from(bytes, 'latin1')).digest('base64')
    return { name, digest, said: `${name}=:${digest}:` }
  })
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(...right.map(({ said }) => said), right.map(({ said }) => said).join(', ')),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(...right)
        .chain(({ name, digest, said }) =>
          fc.constantFrom(
            ...[
              `${name}=:${digest.slice(4)}:`,
              `${name}=::`,
              `${name}=:AAAA:`,
              `${name}=:${digest}`,
              `${name}="${digest}"`,
            ],
            ...[`${name}`, `${name}=1`, `${said};a=1`, `${said}, ${name}=:AAAA:`, `${said},`, `${name}=(:${digest}:)`],
            ...[
              `${name.toUpperCase()}=:${digest}:`,
              `unixsum=:AAAA:, ${said}`,
              `__proto__=:${digest}:`,
              `=:${digest}:`,
            ],
          ),
        ),
    },
    { weight: 1, arbitrary: oddItem.map((text) => text.replace(/[\r\n\0]/g, '')) },
  )
}
