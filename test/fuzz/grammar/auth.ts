import fc from 'fast-check'
import { TOKEN_KEY } from '../access.ts'
import { framing, type Header, type Message } from '../message.ts'
import { DRAFT_FINISHED, FINISHED, LINK_CODE, SCRATCH, SHARED, UNFINISHED } from '../placeholder-ids.ts'
import { edited, edits, mostly, oddText } from './text.ts'

type Request = Omit<Message, 'framing'>

const LINK = `~${LINK_CODE}`
const json: Header = ['Content-Type', 'application/json']

const session = fc
  .tuple(fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'OPTIONS'), fc.constantFrom('', '/', '?a=b', '?token'))
  .map(([method, rest]): Request => ({ method, target: `/session${rest}`, headers: [], body: '' }))

/** What a token is requested for, with values that are of another type, too large, or unknown. */
const wish: fc.Arbitrary<unknown> = fc.record(
  {
    sub: mostly<unknown>(fc.constant('a stranger'), fc.oneof(oddText, fc.constantFrom('x'.repeat(1001), 5, null))),
    expires_in: mostly<unknown>(
      fc.integer({ min: 1, max: 3600 }),
      fc.constantFrom(0, -1, 1.5, 1e300, '60', 366 * 86_400 + 1),
    ),
    may: mostly<unknown>(
      fc.subarray(['create', 'write', 'read', 'delete', 'ask']),
      fc.constantFrom(['everything'], 'read', [[]], Array(1000).fill('read')),
    ),
    max_size: mostly<unknown>(fc.nat(), fc.constantFrom(-1, 2 ** 60, '5')),
    types: mostly<unknown>(fc.constant(['image/*']), fc.constantFrom([], Array(201).fill('.png'), [''], 'png')),
    quota: mostly<unknown>(fc.nat(), fc.constantFrom(-1, null)),
    path: mostly(fc.constant('/files'), fc.constantFrom('files', '/../', `/${'x'.repeat(1000)}`)),
    extra: fc.constant(1),
  },
  { requiredKeys: ['sub', 'expires_in'] },
)

const body = mostly(
  wish.map((value) => Buffer.from(JSON.stringify(value)).toString('latin1')),
  fc.oneof(
    fc.constantFrom('', '{', '[]', 'null', '"', '{"__proto__":1}', `{"sub":${'['.repeat(9000)}`, 'x'.repeat(20_000)),
    oddText,
  ),
)

const key = fc.oneof(
  { weight: 4, arbitrary: fc.constant(TOKEN_KEY) },
  { weight: 1, arbitrary: fc.constantFrom('', TOKEN_KEY.slice(1), `${TOKEN_KEY}x`, 'x'.repeat(9000)) },
)

const tokens = fc
  .tuple(fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PUT'), body, key)
  .map(([method, text, secret]): Request => {
    return { method, target: '/tokens', headers: [json, ['Authorization', `Bearer ${secret}`]], body: text }
  })

const ids = fc.constantFrom(...SCRATCH, FINISHED, UNFINISHED, DRAFT_FINISHED, SHARED, 'unknown', LINK)

const linkRequest = fc
  .tuple(
    fc.constantFrom('POST', 'POST', 'POST', 'GET', 'DELETE'),
    ids,
    mostly(
      fc.constantFrom('', '?expires_in=60', '?expires_in=1'),
      fc.constantFrom('?expires_in=0', '?expires_in=', '?expires_in=1&expires_in=2', '?expires_in=9999999999', '?%'),
    ),
  )
  .map(([method, id, search]): Request => {
    return { method, target: `/files/${id}/link${search}`, headers: [], body: '' }
  })

/** The name of a link: valid, or forged. */
const link = fc.oneof(
  { weight: 4, arbitrary: fc.constant(LINK) },
  {
    weight: 3,
    arbitrary: fc.oneof(
      fc.constantFrom(
        ...['~', '~~', '~=', '~%00', '~a', `~${'A'.repeat(88)}`, `~${'A'.repeat(400)}`, `~${'A'.repeat(8000)}`],
        ...[`${LINK}A`, `${LINK}=`, `~${LINK}`, `%7E${LINK_CODE}`, `${LINK}~`, LINK_CODE, `~${FINISHED}`],
      ),
      fc.base64String({ maxLength: 120 }).map((text) => `~${text.replace(/[+/=]/g, '-')}`),
      oddText.map((text) => `~${text.replace(/[\r\n\0 ]/g, '')}`),
    ),
  },
)

const protocol = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Header[]>([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Header[]>(
      [['Tus-Resumable', '1.0.0']],
      [['Upload-Draft-Interop-Version', '8']],
      [['X-HTTP-Method-Override', 'DELETE']],
    ),
  },
)

/** A link is a right to read, whatever the request tries with it. */
const linked = fc
  .tuple(
    fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'HEAD', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS'),
    link,
    fc.constantFrom('', '', '', '?inline', '/', '/digest?start=0&end=10', '/link'),
    protocol,
    fc.constantFrom<Header[]>([], [], [['Range', 'bytes=1-9']], [['If-None-Match', '*']], [['Upload-Offset', '0']]),
  )
  .map(([method, name, rest, version, more]): Request => {
    return { method, target: `/files/${name}${rest}`, headers: [...version, ...more], body: '' }
  })

const digest = fc
  .tuple(
    ids,
    mostly(
      fc.constantFrom('start=0&end=10', 'start=5&end=900'),
      fc.constantFrom('', 'start=9&end=1', 'start=-1', 'end=%'),
    ),
  )
  .map(([id, search]): Request => ({ method: 'GET', target: `/files/${id}/digest?${search}`, headers: [], body: '' }))

/** Sessions, tokens, links, and what links lead to. */
export const auth: fc.Arbitrary<Message> = fc
  .tuple(
    fc.oneof(
      { weight: 2, arbitrary: session },
      { weight: 4, arbitrary: tokens },
      { weight: 3, arbitrary: linkRequest },
      { weight: 6, arbitrary: linked },
      { weight: 1, arbitrary: digest },
    ),
    edits,
    framing,
  )
  .map(([request, changes, framed]) => ({
    ...request,
    headers: edited(request.headers, changes),
    framing: request.body === '' && framed.kind === 'coded' ? { kind: 'length' } : framed,
  }))
