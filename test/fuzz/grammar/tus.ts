import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { framing, type Header, type Message, utf8 } from '../message.ts'
import { FINISHED, SCRATCH, UNFINISHED } from '../placeholder-ids.ts'
import { bytesOf, edited, edits, mostly, oddText } from './text.ts'

const version: Header = ['Tus-Resumable', '1.0.0']
const type: Header = ['Content-Type', 'application/offset+octet-stream']

const size = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 4000 }), fc.constant(150_000))
const body = size.map((length) => bytesOf(0, length))

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')

/** Upload-Metadata, usually valid by the creation extension. */
const metadata: fc.Arbitrary<string> = fc
  .uniqueArray(
    fc.tuple(
      mostly(
        fc.constantFrom('filename', 'name', 'filetype', 'type', 'relativePath', 'k'),
        fc.oneof(fc.constantFrom('sha256', 'md5'), oddText),
      ),
      mostly(
        fc
          .constantFrom(
            'a.txt',
            utf8('测试 文件.txt'),
            'text/html',
            'image/png',
            '../../../etc/passwd',
            'a'.repeat(300),
          )
          .map(base64),
        fc.oneof(oddText, oddText.map(base64)),
      ),
      mostly(fc.constant(' '), fc.constantFrom('', '  ', '\t', '=')),
    ),
    { maxLength: 5, selector: ([key]) => key },
  )
  .chain((pairs) =>
    mostly(fc.constant(','), fc.constantFrom(', ', ',,', ';')).map((comma) =>
      pairs
        .map(([key, value, space]) => key + space + value)
        .join(comma)
        .replace(/[\r\n\0]/g, ''),
    ),
  )

const checksum = (bytes: string): fc.Arbitrary<Header[]> =>
  fc.constantFrom('sha1', 'sha256', 'md5').chain((algorithm) => {
    const right = createHash(algorithm).update(Buffer.from(bytes, 'latin1')).digest('base64')
    return fc.constantFrom<Header[]>(
      ...[[], [], [['Upload-Checksum', `${algorithm} ${right}`] as const]],
      [['Upload-Checksum', `${algorithm} ${right.slice(2)}`]],
      [['Upload-Checksum', `crc32 ${right}`]],
      [['Trailer', 'Upload-Checksum']],
    )
  })

interface Draft {
  readonly method: string
  readonly target: string
  readonly headers: readonly Header[]
  readonly body?: string
}

const ids = fc.constantFrom(...SCRATCH, ...SCRATCH, FINISHED, UNFINISHED)
const ownTarget = mostly(
  ids.map((id) => `/files/${id}`),
  fc.oneof(
    ids.map((id) => `/files/${id}/`),
    fc.constantFrom(
      '/files',
      '/files/',
      '/files/:id',
      '/files/unknown',
      '/files/%2e%2e',
      '/files/..%2f..',
      '/files/%ff',
      '/files//',
    ),
    ids.map((id) => `/files/${id}?a=b`),
    ids.map((id) => `http://other.example/files/${id}`),
    oddText.map((text) => `/files/${text}`),
  ),
)

const creation = fc
  .tuple(body, metadata, fc.nat(9), fc.boolean())
  .chain(([bytes, said, kind, withBody]): fc.Arbitrary<Draft> => {
    const length: Header =
      kind === 0 ? ['Upload-Defer-Length', '1'] : ['Upload-Length', String(bytes.length + (kind > 6 ? kind : 0))]
    const partial: Header[] = kind === 1 ? [['Upload-Concat', 'partial']] : []
    return checksum(bytes).map((check) => ({
      method: 'POST',
      target: '/files',
      headers: [version, length, ['Upload-Metadata', said], ...partial, ...(withBody ? [type, ...check] : [])],
      ...(withBody && { body: bytes }),
    }))
  })

const partUrl = mostly(
  fc.constantFrom(...SCRATCH).map((id) => `/files/${id}`),
  fc.oneof(
    fc.oneof(fc.constantFrom('sha256', 'md5', 'sha1'), oddText),
    ids.map((id) => `http://a.example/base/files/${id}`),
  ),
)
const final = fc.array(partUrl, { maxLength: 4 }).map(
  (urls): Draft => ({
    method: 'POST',
    target: '/files',
    headers: [version, ['Upload-Concat', `final;${urls.join(' ')}`.replace(/[\r\n\0]/g, '')]],
  }),
)

const append = fc.tuple(ownTarget, fc.constantFrom(0, 0, 0, 1, 40, 4000), body).chain(([target, offset, bytes]) =>
  checksum(bytes).map(
    (check): Draft => ({
      method: 'PATCH',
      target,
      headers: [version, type, ['Upload-Offset', String(offset)], ...check],
      body: bytes,
    }),
  ),
)

const setLength = fc.tuple(ownTarget, fc.nat(5000)).map(
  ([target, length]): Draft => ({
    method: 'PATCH',
    target,
    headers: [version, type, ['Upload-Offset', '0'], ['Upload-Length', String(length)]],
  }),
)

const plain = fc
  .tuple(fc.constantFrom('HEAD', 'OPTIONS', 'HEAD', 'DELETE', 'GET', 'POST', 'PUT'), ownTarget)
  .map(([method, target]): Draft => ({ method, target, headers: [version] }))

const overridden = fc.tuple(fc.constantFrom('PATCH', 'HEAD', 'DELETE', 'GET', 'patch', 'OPTIONS'), ownTarget, body).map(
  ([method, target, bytes]): Draft => ({
    method: 'POST',
    target,
    headers: [version, ['X-HTTP-Method-Override', method], type, ['Upload-Offset', '0']],
    body: bytes,
  }),
)

/** Requests of tus 1.0.0 with all its extensions. */
export const tus: fc.Arbitrary<Message> = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: creation },
      { weight: 4, arbitrary: append },
      { weight: 1, arbitrary: setLength },
      { weight: 1, arbitrary: final },
      { weight: 3, arbitrary: plain },
      { weight: 1, arbitrary: overridden },
    ),
    edits,
    framing,
  )
  .map(([{ method, target, headers, body: bytes = '' }, changes, framed]) => ({
    method,
    target,
    headers: edited(headers, changes),
    body: bytes,
    framing: bytes === '' && framed.kind === 'coded' ? { kind: 'length' } : framed,
  }))
