import fc from 'fast-check'
import { INVALID, NARROWED, STRANGER, TOKEN_COOKIE, TOKEN_FIELD } from '../access.ts'
import type { Message } from '../message.ts'
import { oddText } from './text.ts'

/** Usually valid, so most requests reach what is behind the credentials. */
const token: fc.Arbitrary<string> = fc.oneof(
  { weight: 20, arbitrary: fc.constant(STRANGER) },
  { weight: 3, arbitrary: fc.constantFrom(...NARROWED) },
  { weight: 4, arbitrary: fc.constantFrom(...INVALID) },
  { weight: 1, arbitrary: oddText.map((text) => text.replace(/[\r\n\0]/g, '')) },
)

const scheme = fc.oneof(
  { weight: 12, arbitrary: fc.constant('Bearer ') },
  { weight: 1, arbitrary: fc.constantFrom('bearer  ', 'Bearer', 'Basic ', 'Bearer,', '') },
)

type Place = 'header' | 'cookie' | 'query' | 'form' | 'nowhere'

/** Only the calls of legacy pages read fields. */
const places = ({ target }: Message): fc.Arbitrary<readonly Place[]> =>
  fc.oneof(
    { weight: /^\/(upload|check)/.test(target) ? 3 : 12, arbitrary: fc.constant<Place[]>(['header']) },
    { weight: 2, arbitrary: fc.constant<Place[]>(['cookie']) },
    { weight: 2, arbitrary: fc.constant<Place[]>(['query']) },
    { weight: 2, arbitrary: fc.constant<Place[]>(['form']) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Place[]>(
        ...([['nowhere'], ['header', 'form'], ['header', 'cookie'], ['query', 'form'], ['form', 'form']] as Place[][]),
      ),
    },
  )

/** The requests of a grammar with credentials, of which most are valid. */
export function withCredentials(grammar: fc.Arbitrary<Message>): fc.Arbitrary<Message> {
  return grammar.chain((message) =>
    fc
      .tuple(places(message), fc.array(token, { minLength: 2, maxLength: 2 }), scheme)
      .map(([where, tokens, prefix]) =>
        where.reduce((before, place, i) => put(before, place, tokens[i] ?? STRANGER, prefix), message),
      ),
  )
}

function put(message: Message, place: Place, text: string, prefix: string): Message {
  const { target, headers } = message
  switch (place) {
    case 'header':
      return { ...message, headers: [...headers, ['Authorization', `${prefix}${text}`]] }
    case 'cookie':
      return { ...message, headers: [...headers, ['Cookie', `a=b; ${TOKEN_COOKIE}=${text}`]] }
    case 'query':
      return { ...message, target: `${target}${target.includes('?') ? '&' : '?'}${field(text)}` }
    case 'form':
      return { ...message, body: inForm(message, text) }
    case 'nowhere':
      return message
  }
}

/** The body with a token before its other fields; other bodies than forms cannot have one. */
function inForm({ headers, body }: Message, text: string): string {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''
  const boundary = /^multipart\/form-data; boundary="?([^";]+)"?$/i.exec(type)?.[1]
  if (boundary !== undefined && body.startsWith(`--${boundary}\r\n`)) {
    return `--${boundary}\r\nContent-Disposition: form-data; name="${TOKEN_FIELD}"\r\n\r\n${text}\r\n${body}`
  }
  return /urlencoded/i.test(type) || /^[\w.%*-]+=/.test(body) ? `${field(text)}&${body}` : body
}

function field(text: string): string {
  return `${TOKEN_FIELD}=${text.replace(/[^\w.-]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}`
}
