import fc from 'fast-check'
import { framing, type Header, type Message, utf8 } from '../message.ts'
import { DRAFT_FINISHED, DRAFT_UNFINISHED, FINISHED, SCRATCH, UNFINISHED } from '../placeholder-ids.ts'
import { digests, field } from './structured.ts'
import { bytesOf, edited, edits, mostly, oddText } from './text.ts'

type Headers = readonly Header[]

/** A request before its headers are edited. */
interface Request {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly body?: string
}

const none = fc.constant<Headers>([])
/** A header that only some requests have. */
const maybe = (headers: fc.Arbitrary<Headers>): fc.Arbitrary<Headers> =>
  fc.oneof({ weight: 4, arbitrary: none }, { weight: 1, arbitrary: headers })
const all = (...headers: readonly fc.Arbitrary<Headers>[]): fc.Arbitrary<Headers> =>
  fc.tuple(...headers).map((lists) => lists.flat())

const version = fc.oneof(
  { weight: 10, arbitrary: field('Upload-Draft-Interop-Version', fc.constantFrom('8', '8', '8', '6', '5')) },
  { weight: 1, arbitrary: field('Upload-Draft-Interop-Version', fc.constantFrom('7', '9', '3', '0', '-8', '88')) },
  { weight: 1, arbitrary: none },
)
const complete = (said: boolean): fc.Arbitrary<Headers> => field('Upload-Complete', fc.constant(said ? '?1' : '?0'))

/** Few sizes, so an append often starts where another one has ended. */
const size = fc.oneof(
  fc.constantFrom(0, 40, 1000),
  fc.integer({ min: 0, max: 4000 }),
  fc.constantFrom(40, 1000, 150_000),
)
const offset = fc.constantFrom(0, 0, 0, 0, 40, 80, 1000, 1040, 2000, 4000)

const type = mostly(
  fc.constantFrom('application/partial-upload', 'application/partial-upload; a=b', 'text/html', 'image/png'),
  fc.oneof(fc.constantFrom('', ';', 'text', 'text/plain; charset="', 'APPLICATION/PARTIAL-UPLOAD'), oddText),
).map((value): Headers => [['Content-Type', value.replace(/[\r\n\0]/g, '')]])

const disposition = fc
  .oneof(
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...['attachment; filename=a.txt', 'attachment; filename="a b.txt"', 'inline; filename="../../../etc/passwd"'],
        ...[
          "attachment; filename*=UTF-8''%e6%b5%8b%e8%af%95.txt",
          "attachment; filename=a; filename*=iso-8859-1'en'%A3",
        ],
        ...[`attachment; filename="${utf8('测试 文件.txt')}"`, `attachment; filename="${'n'.repeat(300)}"`],
      ),
    },
    {
      weight: 1,
      arbitrary: fc.oneof(
        fc.constantFrom(
          ...[
            'attachment',
            'attachment;',
            'attachment; filename',
            'attachment; filename=',
            '; filename=a',
            'filename=a',
          ],
          ...['attachment; filename="a', 'attachment; filename="a\\"', 'attachment; filename=a b', 'a/b; filename=a'],
          ...["attachment; filename*=UTF-8''%e6%b5", "attachment; filename*=x'", "attachment; filename*=''%zz"],
          ...["attachment; filename*=utf-16''a", 'attachment; filename*0=a; filename*1=b', 'attachment; __proto__=a'],
          ...[
            'attachment; filename=a; filename=b',
            'attachment; filename="%00"',
            "attachment; filename*=UTF-8''%00%2f",
          ],
        ),
        oddText.map((text) => `attachment; filename="${text}"`),
        oddText,
      ),
    },
  )
  .map((value): Headers => [['Content-Disposition', value.replace(/[\r\n\0]/g, '')]])

const want = field(
  'Want-Repr-Digest',
  fc.constantFrom('sha-256=10', 'md5=1, sha=2', 'sha-512=1', 'sha-256=0', 'sha-256=-1', 'md5=99', 'sha-256', ',,'),
)
const coding = fc
  .constantFrom('identity', 'gzip', 'Identity', 'identity, identity', 'br', '')
  .map((value): Headers => [['Content-Encoding', value]])
const expectation = fc.constant<Headers>([['Expect', '100-continue']])
/** Headers that make a request one of tus, too. */
const tus = fc.constantFrom<Headers>(
  [['Tus-Resumable', '1.0.0']],
  [['Tus-Resumable', '']],
  [
    ['Tus-Resumable', '1.0.0'],
    ['Upload-Defer-Length', '1'],
  ],
  [['Upload-Metadata', 'filename YS50eHQ=,sha256 AAAA']],
)
const besides = (bytes: string): fc.Arbitrary<Headers> =>
  all(
    maybe(field('Content-Digest', digests(bytes))),
    maybe(field('Repr-Digest', digests(bytes))),
    maybe(want),
    mostly(none, coding),
    maybe(expectation),
    mostly(none, tus),
  )

const ids = fc.constantFrom(...SCRATCH, ...SCRATCH, FINISHED, UNFINISHED, DRAFT_FINISHED, DRAFT_UNFINISHED)
const ownTarget = mostly(
  ids.map((id) => `/files/${id}`),
  fc.oneof(
    fc.constantFrom('/files', '/files/', '/files/unknown', '/files/..%2f..', '/files/%ff', '/'),
    ids.map((id) => `/files/${id}/`),
    ids.map((id) => `/files/${id}?a=b`),
    ids.map((id) => `http://other.example/files/${id}`),
  ),
)

const creation = fc
  .record({
    method: fc.constantFrom('POST', 'POST', 'PUT'),
    target: mostly(fc.constantFrom('/files'), ownTarget),
    bytes: size.map((length) => bytesOf(0, length)),
    ends: fc.boolean(),
    /** How many more bytes are announced than this request has; -1 for no announcement. */
    more: fc.constantFrom(-1, -1, 0, 0, 40, 1000),
  })
  .chain(({ method, target, bytes, ends, more }) => {
    const length = field('Upload-Length', fc.constant(String(bytes.length + (ends ? 0 : more))))
    return all(
      ...[version, complete(ends), more < 0 ? none : length],
      ...[maybe(type), fc.oneof(none, disposition), besides(bytes)],
    ).map((headers): Request => ({ method, target, headers, body: bytes }))
  })

/** Uploads, and their initial offsets. */
const PLACES = [0, 0, 40, 40, 0, 40].map((start, i) => ({ target: `/files/${SCRATCH[i]}`, start }))
const place = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...PLACES, ...PLACES.slice(4)) },
  { weight: 2, arbitrary: fc.record({ target: ownTarget, start: offset }) },
)

const append = fc
  .record({ place, length: size, ends: fc.boolean(), more: fc.constantFrom(-1, -1, -1, -1, 0, 40) })
  .chain(({ place: { target, start }, length, ends, more }) => {
    const bytes = bytesOf(start, start + length)
    const whole = field('Upload-Length', fc.constant(String(start + length + more)))
    const partial = mostly(fc.constant<Headers>([['Content-Type', 'application/partial-upload']]), type)
    return all(
      ...[version, partial, field('Upload-Offset', fc.constant(String(start))), complete(ends)],
      ...[more < 0 ? none : whole, besides(bytes)],
    ).map((headers): Request => ({ method: 'PATCH', target, headers, body: bytes }))
  })

const plain = fc
  .tuple(
    fc.constantFrom('HEAD', 'HEAD', 'HEAD', 'HEAD', 'GET', 'GET', 'DELETE', 'OPTIONS', 'PUT', 'POST'),
    ownTarget,
    all(version, maybe(complete(true)), maybe(want), mostly(none, tus)),
  )
  .map(([method, target, headers]): Request => ({ method, target, headers }))

const overridden = fc.tuple(fc.constantFrom('PATCH', 'PATCH', 'HEAD', 'DELETE', 'PUT', 'patch', 'OPTIONS'), append).map(
  ([method, request]): Request => ({
    ...request,
    method: 'POST',
    headers: [...request.headers, ['X-HTTP-Method-Override', method]],
  }),
)

/** Requests of the IETF draft, some of which are also tus. */
export const draft: fc.Arbitrary<Message> = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: creation },
      { weight: 5, arbitrary: append },
      { weight: 3, arbitrary: plain },
      { weight: 1, arbitrary: overridden },
    ),
    edits,
    framing,
  )
  .map(([{ method, target, headers, body = '' }, changes, framed]) => ({
    method,
    target,
    headers: edited(headers, changes),
    body,
    framing: body === '' && framed.kind === 'coded' ? { kind: 'length' } : framed,
  }))
