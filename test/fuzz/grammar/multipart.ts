import fc from 'fast-check'
import { framing, type Header, type Message, utf8 } from '../message.ts'
import { chunk } from './legacy-file.ts'
import { edited, edits, mostly, oddText } from './text.ts'

const boundary = mostly(
  fc.constantFrom(
    '----WebKitFormBoundaryAAvXK93tAuAgYQaK',
    'b',
    '-----------------------------7da24f2e50046',
    "a'()+_,-./:=?b",
  ),
  fc.oneof(fc.constantFrom('', ' a', 'a ', 'a b', '"', '\\', 'x'.repeat(70), 'x'.repeat(71), utf8('é'), '--'), oddText),
)

const contentType = (text: string): fc.Arbitrary<string> =>
  mostly(
    fc.constantFrom(`multipart/form-data; boundary=${text}`, `multipart/form-data; boundary="${text}"`),
    fc.constantFrom(
      `multipart/form-data; charset=utf-8; boundary=${text}`,
      `Multipart/Form-Data;BOUNDARY="${text}"`,
      `multipart/form-data; boundary="${text}`,
      `multipart/form-data; boundary=x; boundary=${text}`,
      `multipart/mixed; boundary=${text}`,
      'multipart/form-data',
      'multipart/',
      `multipart/form-data; boundary*=utf-8''${text}`,
    ),
  )

/** The header of a field's part. */
const disposition = (name: string): fc.Arbitrary<string> =>
  mostly(
    fc.constant(`Content-Disposition: form-data; name="${name}"\r\n`),
    fc.constantFrom(
      `Content-Disposition: form-data; name=${name}\r\n`,
      `content-disposition:form-data;name="${name}"\r\n`,
      `Content-Disposition: form-data; name*=UTF-8''${name}\r\n`,
      `Content-Disposition: form-data; name*0="${name.slice(0, 2)}"; name*1="${name.slice(2)}"\r\n`,
      `Content-Disposition: form-data;\r\n name="${name}"\r\n`,
      `Content-Disposition: attachment; name="${name}"\r\n`,
      'Content-Disposition: form-data\r\n',
      `Content-Disposition: form-data; name="${name}\r\n`,
      `Content-Disposition: form-data; name="${name}"; name="size"\r\n`,
      `Content-Disposition: form-data; name="${name}"\r\nContent-Type: text/plain; charset=utf-16\r\n`,
      `Content-Disposition: form-data; name="${name}"\r\nContent-Type: text/plain; charset=nonsense\r\n`,
      `Content-Disposition: form-data; name="${name}"\r\nContent-Transfer-Encoding: base64\r\n`,
      `X-Long: ${'x'.repeat(17_000)}\r\nContent-Disposition: form-data; name="${name}"\r\n`,
      `${'X: y\r\n'.repeat(3000)}Content-Disposition: form-data; name="${name}"\r\n`,
      `Content-Disposition : form-data; name="${name}"\r\n`,
      `Content-Disposition: form-data; name="${name}\\"\r\n`,
      `Content-Disposition: form-data; name="${name}"; ; x="; y=";\r\n`,
      `Content-Disposition: form-data; name="${name}"${';x="'.repeat(4000)}\r\n`,
      `Content-Disposition: form-data; name="${name}"\r\nContent-Type: text/plain;charset="GBK"\r\n`,
      `Content-Disposition: form-data; name="${name}"\r\nContent-Type: text/plain; charset=big5\r\n`,
      `Content-Disposition: form-data; name="${name}"\r\nContent-Transfer-Encoding: 8bit\r\n`,
      '\r\n',
      '',
    ),
  )

const fileDisposition: fc.Arbitrary<string> = mostly(
  fc.constantFrom('filename="file.bin"', `filename="${utf8('测试 文件.txt')}"`, 'filename="blob"'),
  fc.oneof(
    fc.constantFrom(
      ...['filename=""', 'filename=', 'filename=a b', 'filename="a\\"b"', 'filename="C:\\x\\y"', 'filename="a%22b"'],
      ...[
        'filename="a\\"',
        'filename="a"b"',
        'filename="a";b"',
        'filename="\xb2\xe2\xca\xd4.txt"',
        "filename*=GBK''%B2%E2",
      ],
      ...["filename*=UTF-8''%e6%b5%8b", "filename*=UTF-8''%e6%b5", "filename*=x'", "filename*=iso-8859-1'en'%A3"],
      ...[
        'filename*0="a"; filename*1*=%20b',
        "filename*0*=UTF-8''%e6; filename*1*=%b5%8b",
        'filename*1="b"',
        "filename*=''",
      ],
      ...['filename="a"; filename="b"', `filename="${'n'.repeat(10_000)}"`],
    ),
    oddText.map((text) => `filename="${text}"`),
  ),
).map((name) => `Content-Disposition: form-data; name="file"; ${name}\r\nContent-Type: application/octet-stream\r\n`)

/** Custom fields of a page, and fields that declare the charset of others. */
const more: fc.Arbitrary<readonly Header[]> = mostly(
  fc.constant<readonly Header[]>([]),
  fc.oneof(
    fc.integer({ min: 1, max: 70 }).map((count) => Array.from({ length: count }, (_, i): Header => [`extra${i}`, 'y'])),
    fc.constantFrom<readonly Header[]>(
      [['extra', 'y'.repeat(100_000)]],
      Array.from({ length: 17_000 }, (): Header => ['x', '']),
      [['_charset_', 'gbk']],
      [['_charset_', 'utf-16']],
      [['landfall_file', '\xef\xbb\xbf1']],
      [['name', '\xb2\xe2\xca\xd4.txt']],
    ),
  ),
)

/** The text around the parts. */
const around = fc.record({
  preamble: mostly(fc.constant(''), fc.constantFrom('\r\n', 'preamble\r\n', 'x'.repeat(17_000), '--')),
  epilogue: mostly(fc.constantFrom('\r\n', ''), fc.constantFrom('epilogue', '\r\n\r\n', 'x'.repeat(66_000))),
  closing: mostly(fc.constant('--'), fc.constantFrom('', '-', '--x', ' --', '\t', '-- \t')),
  padding: mostly(fc.constant(''), fc.constantFrom(' ', '\t ', 'x', ' '.repeat(2000))),
  more,
  inside: mostly(fc.constant(''), fc.constantFrom('near', 'delimiter', 'closing')),
  /** The position of the file part: usually last. */
  fileAt: mostly(fc.constant(99), fc.nat(9)),
  files: mostly(fc.constant(1), fc.constantFrom(0, 2)),
})

const form = fc.tuple(chunk, edits, boundary, around).chain(([{ fields, bytes }, changes, mark, shape]) => {
  const known = edited(fields, changes)
  return fc
    .tuple(fc.tuple(...known.map(([name]) => disposition(name))), disposition('x'), fileDisposition, contentType(mark))
    .map(([knownHeads, otherHead, fileHead, type]) => {
      const all = [...known, ...shape.more]
      const heads = [...knownHeads, ...shape.more.map(([name]) => otherHead.replaceAll('"x"', `"${name}"`))]
      const inside = { near: `\r\n--${mark.slice(0, -1)}`, delimiter: `\r\n--${mark}`, closing: `\r\n--${mark}--\r\n` }
      const parts = all.map(([, value], i) => `${heads[i] ?? ''}\r\n${value}`)
      const extra = shape.inside === '' ? '' : Object.entries(inside).find(([name]) => name === shape.inside)?.[1]
      const file = `${fileHead}\r\n${bytes}${extra ?? ''}`
      parts.splice(shape.fileAt, 0, ...Array<string>(shape.files).fill(file))
      const delimiter = `--${mark}${shape.padding}\r\n`
      const text = parts.map((part) => `${delimiter}${part}\r\n`).join('')
      return { type, body: `${shape.preamble}${text}--${mark}${shape.closing}${shape.epilogue}` }
    })
})

/** Chunks of legacy pages as multipart forms. */
export const multipart: fc.Arbitrary<Message> = fc
  .tuple(form, framing, edits)
  .map(([{ type, body }, framed, changes]) => ({
    method: 'POST',
    target: '/upload/accept',
    headers: edited([['Content-Type', type.replace(/[\r\n\0]/g, '')]], changes.slice(1)),
    body,
    framing: framed,
  }))
