import fc from 'fast-check'
import type { Header, Message } from '../message.ts'
import { FINISHED, SCRATCH, UNFINISHED } from '../placeholder-ids.ts'
import { edited, edits, mostly, oddText } from './text.ts'

const position = fc.oneof(
  fc.integer({ min: 0, max: 5000 }).map(String),
  fc.constantFrom('', '0', '4999', '5000', '9'.repeat(30), '-1', 'a'),
)
const inOrder = fc
  .tuple(fc.nat(8000), fc.nat(8000))
  .map(([a, b]): [string, string] => [String(Math.min(a, b)), String(Math.max(a, b))])
const oneRange = fc.oneof(inOrder, fc.tuple(position, position)).map(([first, last]) => `${first}-${last}`)
const range = mostly(
  fc
    .tuple(
      mostly(fc.constant('bytes'), fc.constantFrom('BYTES', 'lines', '', 'bytes ')),
      mostly(
        oneRange.map((one) => [one]),
        fc.array(oneRange, { minLength: 2, maxLength: 3 }),
      ),
    )
    .map(([unit, ranges]) => `${unit}=${ranges.join(',')}`),
  fc.oneof(oddText, fc.constant(`bytes=${'0-0,'.repeat(1000)}`)),
)

const tag = fc.constantFrom(
  `"${FINISHED}-5000"`,
  `W/"${FINISHED}-5000"`,
  '"other"',
  '*',
  '"',
  'W/',
  `"${'x'.repeat(5000)}"`,
  '"a,b"',
)
const tags = fc.array(tag, { minLength: 1, maxLength: 3 }).map((list) => list.join(', '))
const date = fc.oneof(
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }).map((day) => day.toUTCString()),
  fc.constantFrom(
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'Mon, 99 Nov 2026 99:99:99 GMT',
    'yesterday',
    '',
  ),
)

const header: fc.Arbitrary<Header> = fc.oneof(
  range.map((value): Header => ['Range', value]),
  range.map((value): Header => ['Range', value]),
  fc.oneof(tag, date).map((value): Header => ['If-Range', value]),
  tags.map((value): Header => ['If-Match', value]),
  tags.map((value): Header => ['If-None-Match', value]),
  date.map((value): Header => ['If-Modified-Since', value]),
  date.map((value): Header => ['If-Unmodified-Since', value]),
  fc
    .constantFrom('sha-256=10', 'md5=1, sha=2', 'sha-256=0', 'unixsum=3', 'sha-256', '*=5', ',,')
    .map((value): Header => ['Want-Repr-Digest', value]),
)

const headers = fc.oneof(
  range.map((value): Header[] => [['Range', value]]),
  fc.array(header, { maxLength: 4 }),
)

const target = mostly(
  fc
    .tuple(
      fc.constantFrom(...Array<string>(8).fill(FINISHED), UNFINISHED, SCRATCH[0] ?? ''),
      fc.constantFrom('', '', '?inline', '?inline=0', '?inline=1&inline=2', '?%', '/'),
    )
    .map(([id, search]) => `/files/${id}${search}`),
  fc.constantFrom(
    '/',
    '/legacy',
    '/healthz',
    '/readyz',
    '/upload/accept',
    '/static/..%2f',
    '/assets/',
    '/files/%00',
    '/files/unknown',
    '/metrics',
  ),
)

/** Downloads with conditions and ranges, and the pages. */
export const download: fc.Arbitrary<Message> = fc
  .tuple(fc.constantFrom('GET', 'GET', 'GET', 'HEAD'), target, headers, edits)
  .map(([method, path, list, changes]) => ({
    method,
    target: path,
    headers: edited(
      list.map(([name, value]): Header => [name, value.replace(/[\r\n\0]/g, '')]),
      changes,
    ),
    body: '',
    framing: { kind: 'none' },
  }))
