import fc from 'fast-check'
import { framing, type Header, type Message } from '../message.ts'
import { SCRATCH } from '../placeholder-ids.ts'
import { mostly, oddText, oddValue } from './text.ts'

const method = mostly(
  fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'M-SEARCH', 'PURGE'),
  fc.oneof(fc.constantFrom('CONNECT', 'PRI', 'get', 'G', '', 'GET ', ' GET', 'GÊT', 'X'.repeat(500), 'BREW'), oddText),
)

const target = fc.oneof(
  fc.constantFrom(
    '/',
    '/files',
    `/files/${SCRATCH[0]}`,
    '/check',
    '/upload/complete?task_id=t',
    '/healthz',
    '/nowhere',
  ),
  fc.constantFrom(
    ...[
      '*',
      '',
      '//',
      '///files',
      '/./files',
      '/a/../files',
      '/%',
      '/%zz',
      '/files/%C0%AF',
      '/#a',
      '/?',
      '/??',
      '/\\',
      '/ a',
    ],
    ...[
      'http://a.example/files',
      'http://[/files',
      'http://a:99999/',
      'http://a.example',
      'HTTP://x',
      'ftp://x/',
      'a:80',
      'http://[::1]/',
    ],
    ...[
      'http://a.example:x/files',
      'http://%zz/',
      'http://a b/',
      'http://\xff/',
      '/\xff',
      '/\x7f',
      `/${'x'.repeat(9000)}`,
      `/?${'a&'.repeat(9000)}`,
    ],
    ...[`/files/${'%41'.repeat(3000)}`, `/${'../'.repeat(1000)}`, `http://${'x'.repeat(5000)}/`],
  ),
  oddText.map((text) => `/${text}`),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
)

const header: fc.Arbitrary<Header> = fc.oneof(
  fc.tuple(
    fc.constantFrom(
      'Host',
      'Connection',
      'Content-Length',
      'Transfer-Encoding',
      'Expect',
      'Upgrade',
      'Te',
      'Trailer',
      'Date',
      'Cookie',
      'Origin',
    ),
    mostly(
      fc.constantFrom(
        'close',
        'keep-alive',
        'chunked',
        '100-continue',
        'gzip, chunked',
        'chunked, identity',
        'identity',
        '0',
        '3',
        '3, 3',
        'websocket',
        'h2c',
      ),
      oddValue,
    ),
  ),
  fc.tuple(
    fc.oneof(
      fc.constantFrom('A', 'A ', ' A', 'A\t', 'Ä', '', 'a(b)', 'A:B', 'x'.repeat(9000), '__proto__', 'A\0'),
      oddText,
    ),
    oddValue,
  ),
  fc.tuple(
    fc.constantFrom(
      'Access-Control-Request-Method',
      'Access-Control-Request-Headers',
      'Origin',
      'X-HTTP-Method-Override',
    ),
    oddValue,
  ),
)

const headers = fc.oneof(
  { weight: 12, arbitrary: fc.array(header, { maxLength: 5 }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 50, max: 3000 })
      .map((count) => Array.from({ length: count }, (): Header => ['A', 'b'])),
  },
)

/** HTTP itself: invalid lines, names, values, and lengths. */
export const http: fc.Arbitrary<Message> = fc
  .tuple(method, target, headers, fc.oneof(fc.constant(''), oddText, fc.constant('x'.repeat(30_000))), framing)
  .map(([verb, path, list, body, framed]) => ({ method: verb, target: path, headers: list, body, framing: framed }))
