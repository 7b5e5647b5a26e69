import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import busboy from 'busboy'
import fc from 'fast-check'
import { FieldList, type Fields, LONGEST_VALUE, MOST_VALUES } from '../../legacy-adapter/fields.ts'
import { MOST_PARTS, type MultipartRequest, readMultipart } from '../../legacy-adapter/multipart.ts'
import { UploadError } from '../../server/core/errors.ts'
import type { Source } from '../../server/core/source.ts'
import { ArraySource, cutAt, LendingSource } from '../support/array-source.ts'

/** Identity fields, so that the field names of these tests are read. */
const NAMES = [
  'a',
  'c',
  'd',
  'Filename',
  'Upload',
  '__proto__',
  ...Array.from({ length: 20 }, (_, index) => `f${index}`),
]

function read(source: Source, contentType: string, contentLength?: number): Promise<MultipartRequest> {
  return readMultipart(source, contentType, contentLength, () => new FieldList(NAMES))
}

/** What a body came to: everything that a client of `readMultipart` can see, or the code of the error. */
interface Outcome {
  fields?: Record<string, unknown>
  fileName?: string | undefined
  file?: string
  trailing?: Record<string, unknown>
  error?: string
}

function textsOf(fields: Fields): Record<string, string[]> {
  return Object.fromEntries([...fields].map(([name, values]) => [name, [...values]]))
}

async function outcomeOf(source: Source, boundary: string): Promise<Outcome> {
  const outcome: Outcome = {}
  try {
    const type = `multipart/form-data; boundary=${boundary}`
    const request = await read(new LendingSource(source), type)
    outcome.fields = textsOf(request.fields)
    outcome.fileName = request.fileName
    outcome.file = ''
    for (let batch = await request.file.read(); batch !== null; batch = await request.file.read()) {
      outcome.file += Buffer.concat(batch).toString('latin1')
    }
    outcome.trailing = textsOf(request.file.trailing.fields)
  } catch (error) {
    outcome.error = error instanceof UploadError ? error.code : String(error)
  }
  return outcome
}

function field(name: string, value: string): string {
  return `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
}

function file(
  content: string,
  header = 'name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream',
): string {
  return `Content-Disposition: form-data; ${header}\r\n\r\n${content}`
}

/** A body of these parts, as browsers write it. */
function form(boundary: string, parts: readonly string[], end = '--\r\n'): Buffer {
  return Buffer.from(`${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}${end}`)
}

const WEBKIT = '----WebKitFormBoundaryG2F6fFEv5uXF60Iw'

/** A recorded body of Chromium with npm's WebUploader: a file in one block, so without `chunk` and `chunks`. */
const SMALL = form(WEBKIT, [
  field('task_id', 'T'),
  field('id', 'WU_FILE_0'),
  field('name', 'small.txt'),
  field('type', 'text/plain'),
  field('lastModifiedDate', 'Mon Nov 23 2026 07:35:14 GMT+0000 (Coordinated Universal Time)'),
  field('size', '18'),
  file('hello webuploader\n', 'name="file"; filename="small.txt"\r\nContent-Type: text/plain'),
])

describe('The reader of multipart bodies', () => {
  test('reads a block of HTML5: fields, then the file', async () => {
    const whole = Buffer.alloc(1024 * 1024, 'x')
    const start = form(
      '----WebKitFormBoundaryAAvXK93tAuAgYQaK',
      [
        field('task_id', 'wu_seed123'),
        field('id', 'WU_FILE_0'),
        field('name', 'big12.bin'),
        field('type', 'application/octet-stream'),
        field('lastModifiedDate', 'Mon Nov 23 2026 07:35:14 GMT+0000 (Coordinated Universal Time)'),
        field('size', '12582912'),
        field('chunks', '3'),
        field('chunk', '0'),
        file('', 'name="file"; filename="big12.bin"\r\nContent-Type: application/octet-stream'),
      ],
      '',
    )
    // The recorded places of the fields: the file part at 868, its content 5,242,880 bytes of 5,243,945
    expect(start.indexOf('--', 868)).toBe(868)
    const end = Buffer.from('\r\n------WebKitFormBoundaryAAvXK93tAuAgYQaK--\r\n')
    const head = start.subarray(0, start.length - end.length + 4)
    const body = new ArraySource([[head, whole], [whole], [whole], [whole], [whole, end]])
    const type = 'multipart/form-data; boundary=----WebKitFormBoundaryAAvXK93tAuAgYQaK'
    const request = await read(body, type, 5243945)
    expect(request.lengths).toEqual([5242880, 5242882, 5242878])
    expect(request.fileName).toBe('big12.bin')
    expect([...request.fields.keys()].join()).toBe('task_id,id,name,type,lastModifiedDate,size,chunks,chunk')
    let bytes = 0
    for (let batch = await request.file.read(); batch !== null; batch = await request.file.read()) {
      expect(batch.map((part) => part.buffer === whole.buffer)).toEqual([true])
      for (const part of batch) bytes += part.length
    }
    expect(bytes).toBe(5242880)
  })

  test('reads a small file', async () => {
    expect(SMALL).toHaveLength(853)
    const request = await read(ArraySource.of(SMALL), `multipart/form-data; boundary=${WEBKIT}`, 853)
    expect(request.lengths[0]).toBe(18)
    expect(await outcomeOf(ArraySource.of(SMALL), WEBKIT)).toMatchObject({
      fields: { task_id: ['T'], id: ['WU_FILE_0'], name: ['small.txt'], type: ['text/plain'], size: ['18'] },
      fileName: 'small.txt',
      file: 'hello webuploader\n',
      trailing: {},
    })
  })

  test('reads the form of Flash: a field before, a field after, no CRLF at the end', async () => {
    const boundary = '----------GI3ae0ei4Ef1cH2gL6ei4GI3ei4ei4'
    const body = form(
      boundary,
      [
        field('Filename', 'a.bin'),
        file('content', 'name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream'),
        field('Upload', 'Submit Query'),
      ],
      '--',
    )
    const request = await read(ArraySource.of(body), `multipart/form-data; boundary=${boundary}`, body.length)
    expect(request.lengths[0]).not.toBe(7)
    expect(await outcomeOf(ArraySource.of(body), boundary)).toMatchObject({
      fields: { Filename: ['a.bin'] },
      file: 'content',
      trailing: { Upload: ['Submit Query'] },
    })
  })

  test('reads the handmade form of Flash: Content-Type "undefined"', async () => {
    const boundary = '----webuploaderboundary1400000000000'
    const body = form(boundary, [
      field('name', '测试 文件.txt'),
      file('content', 'name="Filedata"; filename="测试 文件.txt"\r\nContent-Type: undefined'),
    ])
    expect(await outcomeOf(ArraySource.of(body), boundary)).toMatchObject({
      fields: { name: ['测试 文件.txt'] },
      fileName: '测试 文件.txt',
      file: 'content',
    })
  })

  test.each([
    ['测试 文件.txt', '测试 文件.txt'],
    ['a%22quote%22.txt', 'a"quote".txt'],
    ['new%0d%0Aline.txt', 'new\r\nline.txt'],
    ['100%.txt', '100%.txt'],
    ['emoji😀.txt', 'emoji😀.txt'],
    ['a+b&c=d;e.txt', 'a+b&c=d;e.txt'],
    ["apos'x.txt", "apos'x.txt"],
    ['../../evil.txt', 'evil.txt'],
    ['C:\\fake\\x.jpg', 'x.jpg'],
    ['a\tb.txt', 'a\tb.txt'],
    ['', ''],
  ])('reads the file name %j', async (name, expected) => {
    const header = `name="file"; filename="${name}"\r\nContent-Type: application/octet-stream`
    const outcome = await outcomeOf(ArraySource.of(form('b', [file('x', header)])), 'b')
    expect(outcome.fileName).toBe(expected)
    expect(outcome.file).toBe('x')
  })

  test.each([
    ['b2e2cad4', '测试'],
    ['e6b58b', '测'],
    ['c3', '\u00c3'],
    ['c4', '\u00c4'],
    ['ff', '\u00ff'],
  ])('decodes the bytes %s of a value and a file name as %s', async (hex, text) => {
    const name = Buffer.from(hex, 'hex').toString('latin1')
    const body = Buffer.from(
      form('b', [field('name', 'NAME'), file('x', 'filename="NAME"')])
        .toString()
        .replaceAll('NAME', name),
      'latin1',
    )
    const request = await read(new LendingSource(ArraySource.of(body)), 'multipart/form-data; boundary=b')
    while ((await request.file.read()) !== null);
    expect([request.fields.get('name'), request.fileName]).toEqual([[text], text])
  })

  test('leaves values as they are', async () => {
    const values = ['', 'a\r\nb', '[object Object]', '\r\n\r\n', '\0', '--', '\r\n-', 'é'.repeat(LONGEST_VALUE / 2)]
    const parts = values.map((value, index) => field(`f${index}`, value))
    const outcome = await outcomeOf(ArraySource.of(form('b', [...parts, file('x')])), 'b')
    expect(outcome.fields).toEqual(Object.fromEntries(values.map((value, index) => [`f${index}`, [value]])))
  })

  test('accepts fields that are called __proto__ or occur twice', async () => {
    const body = form('b', [field('__proto__', '1'), field('a', '1'), field('a', '2'), file('x')])
    const request = await read(ArraySource.of(body), 'multipart/form-data; boundary=b')
    expect([...request.fields].map(([name, values]) => [name, ...[...values]])).toEqual([
      ['__proto__', '1'],
      ['a', '1', '2'],
    ])
    expect(request.lengths).toEqual([])
  })
})

/** Bodies that end well or badly in every way there is. */
const BODIES: Record<string, { body: Buffer; boundary: string; expected: Outcome }> = {
  'a small file': {
    body: form('b', [field('task_id', 'T'), file('hello\n')]),
    boundary: 'b',
    expected: { fields: { task_id: ['T'] }, file: 'hello\n', trailing: {} },
  },
  'an empty file': { body: form('b', [file('')]), boundary: 'b', expected: { file: '' } },
  'fields after the file': {
    body: form('--b-', [field('a', ''), file('x\r\n'), field('c', '\r\n'), field('d', '2')], '--'),
    boundary: '--b-',
    expected: { fields: { a: [''] }, file: 'x\r\n', trailing: { c: ['\r\n'], d: ['2'] } },
  },
  'near misses': {
    body: form('-b', [field('a', '\r\n--\r\n---\r\n\r\n--'), file('\r\n--\r\r\n---\r\n--\r\n--b\n---b--')]),
    boundary: '-b',
    expected: { fields: { a: ['\r\n--\r\n---\r\n\r\n--'] }, file: '\r\n--\r\r\n---\r\n--\r\n--b\n---b--' },
  },
  'a preamble and an epilogue': {
    body: Buffer.concat([Buffer.from('for\r\nold --b mail\r\n'), form('b', [file('x')], '--\r\n--b\r\nthe end')]),
    boundary: 'b',
    expected: { file: 'x', trailing: {} },
  },
  'two files': { body: form('b', [file('x'), file('y')]), boundary: 'b', expected: { error: 'several_files' } },
  'file inputs in which nothing was chosen': {
    body: form('b', [
      file('', 'filename=""'),
      field('a', '1'),
      file('x'),
      file('', 'filename=""'),
      field('c', '2'),
      file('', 'filename=""'),
    ]),
    boundary: 'b',
    expected: { fields: { a: ['1'] }, fileName: 'a.bin', file: 'x', trailing: { c: ['2'] } },
  },
  'an empty file without a name': {
    body: form('b', [field('a', '1'), file('', 'filename=""')]),
    boundary: 'b',
    expected: { fields: { a: ['1'] }, fileName: '', file: '', trailing: {} },
  },
  'no file': { body: form('b', [field('a', '1')]), boundary: 'b', expected: { error: 'no_file' } },
  'nothing but the end': { body: form('b', []), boundary: 'b', expected: { error: 'no_file' } },
  'no header': { body: form('b', ['\r\nx', file('y')]), boundary: 'b', expected: { fields: {}, file: 'y' } },
  'no header after the file': {
    body: form('b', [file('x'), '\r\ny']),
    boundary: 'b',
    expected: { file: 'x', trailing: {} },
  },
  'parts without a body': {
    body: Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n--b\r\nX: y\r\n\r\n--b\r\n' +
        'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n--b--\r\n',
    ),
    boundary: 'b',
    expected: { fields: { a: [''] }, fileName: 'f', file: '', trailing: {} },
  },
  'spaces behind the boundaries': {
    body: Buffer.from(
      `--b \t \r\n${field('a', '1')}\r\n--b\t\r\n${file('x')}\r\n--b \r\n${field('c', '2')}\r\n--b-- \t\r\n`,
    ),
    boundary: 'b',
    expected: { fields: { a: ['1'] }, file: 'x', trailing: { c: ['2'] } },
  },
  'lines that end with LF': {
    body: Buffer.from(
      form('b', [field('a', '1'), file('x')])
        .toString()
        .replaceAll('\r', ''),
    ),
    boundary: 'b',
    expected: { error: 'malformed_body' },
  },
  'a part that ends inside its header': {
    body: form('b', ['Content-Disposition: form-data; name="a"', file('x')]),
    boundary: 'b',
    expected: { error: 'malformed_body' },
  },
  'no Content-Disposition': {
    body: form('b', ['Content-Type: text/plain\r\n\r\nx', file('y')]),
    boundary: 'b',
    expected: { fields: {}, file: 'y' },
  },
  'another disposition': {
    body: form('b', ['Content-Disposition: attachment; name="a"\r\n\r\nx', file('y')]),
    boundary: 'b',
    expected: { fields: { a: ['x'] }, file: 'y' },
  },
  'a header that is none': {
    body: form('b', ['Content Disposition\r\n\r\nx', file('y')]),
    boundary: 'b',
    expected: { fields: {}, file: 'y' },
  },
  'long values that are not read': {
    body: form('b', [field('other', 'x\r\n--'.repeat(30)), field('a', '1'), file('y'), field('other', '\r\n--')]),
    boundary: 'b',
    expected: { fields: { a: ['1'] }, file: 'y', trailing: {} },
  },
  'a file without a file name': {
    body: form('b', [
      field('a', '1'),
      'Content-Disposition: form-data; name="file"\r\nContent-Type: Application/Octet-Stream; x\r\n\r\ny',
    ]),
    boundary: 'b',
    expected: { fields: { a: ['1'] }, fileName: undefined, file: 'y' },
  },
  'a file in base64': {
    body: form('b', [file('eA==', 'name="file"; filename="a"\r\nContent-Transfer-Encoding: BASE64')]),
    boundary: 'b',
    expected: { error: 'malformed_body' },
  },
  'a boundary that goes on': {
    body: form('b', [file('x\r\n--bc\r\ny')]),
    boundary: 'b',
    expected: { file: 'x', error: 'malformed_body' },
  },
  'a boundary with one dash': {
    body: form('b', [file('x')], '-\r\n'),
    boundary: 'b',
    expected: { file: 'x', error: 'malformed_body' },
  },
  'a value that begins with the boundary': {
    body: form('b', [field('a', '--b'), file('x')]),
    boundary: 'b',
    expected: { error: 'malformed_body' },
  },
  'a value that begins with the boundary on a line of its own': {
    body: form('b', [field('a', '--b\r\nvalue'), file('x')]),
    boundary: 'b',
    expected: { error: 'malformed_body' },
  },
  'a field in no known charset': {
    body: form('b', [
      'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=x-no\r\n\r\n测',
      file('y'),
    ]),
    boundary: 'b',
    expected: { fields: { a: ['测'] }, file: 'y' },
  },
  'a boundary that never comes': { body: form('c', [file('x')]), boundary: 'b', expected: { error: 'malformed_body' } },
  'an empty body': { body: Buffer.alloc(0), boundary: 'b', expected: { error: 'malformed_body' } },
}

describe.each(Object.entries(BODIES))('A body with %s', (_name, { body, boundary, expected }) => {
  test('is read as expected', async () => {
    const outcome = await outcomeOf(ArraySource.of(body), boundary)
    expect(outcome).toMatchObject(expected)
    expect(outcome.error).toBe(expected.error)
  })

  test('is read the same in any two pieces', async () => {
    const whole = await outcomeOf(ArraySource.of(body), boundary)
    for (let place = 0; place <= body.length; place++) {
      const inTwoReads = await outcomeOf(ArraySource.of(...cutAt(body, [place])), boundary)
      const inOneRead = await outcomeOf(new ArraySource([cutAt(body, [place])]), boundary)
      // A matcher for each of many thousand cuts would take most of the time.
      if (isDeepStrictEqual([inTwoReads, inOneRead], [whole, whole])) continue
      expect([place, inTwoReads, inOneRead]).toEqual([place, whole, whole])
    }
  })

  test('is read the same in any number of pieces, also in single bytes', async () => {
    const whole = await outcomeOf(ArraySource.of(body), boundary)
    const batches = fc.array(fc.array(fc.nat(1000), { maxLength: 8 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(1000)), batches, async (places, inner) => {
        const pieces = cutAt(body, places).map((piece, index) => cutAt(piece, inner[index] ?? []))
        expect(await outcomeOf(new ArraySource(pieces), boundary)).toEqual(whole)
      }),
    )
    expect(await outcomeOf(ArraySource.of(...[...body].map((byte) => Buffer.of(byte))), boundary)).toEqual(whole)
  })

  test('is refused if truncated anywhere before the closing boundary', async () => {
    const end = body.lastIndexOf(`\r\n--${boundary}--`) + boundary.length + 6
    for (let length = 0; length < body.length; length++) {
      const { error } = await outcomeOf(ArraySource.of(body.subarray(0, length)), boundary)
      const whole = expected.error === undefined && length >= end
      const allowed: readonly (string | undefined)[] = whole
        ? [undefined]
        : ['malformed_body', expected.error ?? 'malformed_body']
      if (!allowed.includes(error)) expect([length, error]).toEqual([length, allowed])
    }
  })
})

describe('A refusal states what is malformed:', () => {
  test.each([
    ['a boundary that goes on', 'The boundary occurs in the body where no part begins or ends.'],
    ['a part that ends inside its header', 'A part ends inside its header.'],
    ['lines that end with LF', 'The lines of a form must end with CRLF.'],
    ['a file in base64', 'A part has a Content-Transfer-Encoding, which forms must not use.'],
    ['a boundary that never comes', 'The body ends before its closing boundary.'],
  ])('%s', async (name, sentence) => {
    const { body = Buffer.alloc(0), boundary = '' } = BODIES[name] ?? {}
    const whole = async (): Promise<void> => {
      const request = await read(ArraySource.of(body), `multipart/form-data; boundary=${boundary}`)
      while ((await request.file.read()) !== null);
    }
    await expect(whole()).rejects.toThrow(sentence)
  })
})

describe('The limits of a body', () => {
  const big = Buffer.alloc(256 * 1024, 'x')

  test.each([
    ['a value', `--b\r\n${field('name', '')}`, 'field_too_large'],
    ['a header', '--b\r\nContent-Disposition: form-data; name="a"\r\nX: ', 'malformed_body'],
    ['a name', '--b\r\nContent-Disposition: form-data; name="', 'malformed_body'],
    ['what is before the first boundary', 'x', 'malformed_body'],
    ['a value after the file', `--b\r\n${file('x')}\r\n--b\r\n${field('name', '')}`, 'field_too_large'],
    ['what is after the closing boundary', `--b\r\n${file('x')}\r\n--b--`, 'malformed_body'],
  ])('refuse %s without an end at once', async (_name, start, code) => {
    const source = ArraySource.of(Buffer.from(start), ...Array.from({ length: 100 }, () => big))
    expect((await outcomeOf(source, 'b')).error).toBe(code)
    expect(source.taken).toBeLessThan(3 * big.length)
  })

  test('allow a value of 8 KiB, and not one byte more unless the field is ignored', async () => {
    const code = 'field_too_large'
    for (const [name, length, error] of [
      ['a', LONGEST_VALUE, undefined],
      ['a', LONGEST_VALUE + 1, code],
      ['other', LONGEST_VALUE + 1, undefined],
      ['other', 1_000_000, undefined],
    ] as const) {
      const part = field(name, 'x'.repeat(length))
      for (const parts of [
        [part, file('x')],
        [file('x'), part],
      ]) {
        const body = form('b', parts)
        expect((await outcomeOf(ArraySource.of(body), 'b')).error).toBe(error)
        expect((await outcomeOf(ArraySource.of(...cutAt(body, [50, 5000])), 'b')).error).toBe(error)
      }
    }
  })

  test('name the field in the refusal', async () => {
    const body = form('b', [field('lastModifiedDate', 'x'.repeat(LONGEST_VALUE + 1)), file('x')])
    await expect(read(ArraySource.of(body), 'multipart/form-data; boundary=b')).rejects.toThrow(
      'The field "lastModifiedDate" is longer than 8192 bytes.',
    )
  })

  test('bound the number of fields, before and after the file', async () => {
    const values = Array.from({ length: MOST_VALUES }, () => field('a', ''))
    for (const [fields, error] of [
      [values, undefined],
      [[...values, field('c', '')], 'too_many_fields'],
    ] as const) {
      expect((await outcomeOf(ArraySource.of(form('b', [...fields, file('x')])), 'b')).error).toBe(error)
      expect((await outcomeOf(ArraySource.of(form('b', [file('x'), ...fields])), 'b')).error).toBe(error)
    }
  })

  test('bound the number of parts', async () => {
    const parts = '--b\r\n\r\n\r\n'.repeat(MOST_PARTS - 1)
    for (const [more, error] of [
      ['', undefined],
      ['--b\r\n\r\n\r\n', 'too_many_fields'],
    ]) {
      const body = Buffer.from(`${parts}${more}${form('b', [file('x')])}`)
      expect((await outcomeOf(ArraySource.of(body), 'b')).error).toBe(error)
    }
  })

  test('allow 64 KiB after the closing boundary', async () => {
    const body = form('b', [file('x')], `--${'x'.repeat(64 * 1024)}`)
    expect((await outcomeOf(ArraySource.of(body), 'b')).error).toBeUndefined()
    expect((await outcomeOf(ArraySource.of(body, Buffer.from('x')), 'b')).error).toBe('malformed_body')
  })
})

describe('The Content-Type', () => {
  const longest = `${'a'.repeat(69)}z`

  test.each([
    ['multipart/form-data; boundary=b', 'b'],
    ['Multipart/Form-Data;charset=utf-8; BOUNDARY="b"', 'b'],
    [`multipart/form-data; boundary=${longest}`, longest],
    ['multipart/form-data; boundary="a b:c/d=e?f,(g)\'+_."', "a b:c/d=e?f,(g)'+_."],
  ])('is understood with %s', async (contentType, boundary) => {
    const request = await read(ArraySource.of(form(boundary, [field('a', '1'), file('x')])), contentType, 0)
    expect(textsOf(request.fields)).toEqual({ a: ['1'] })
    expect(await request.file.read()).toEqual([Buffer.from('x')])
    expect(await request.file.read()).toBeNull()
  })

  test.each([
    ['multipart/form-data', 'malformed_body'],
    ['multipart/form-data; boundary=', 'malformed_body'],
    ['multipart/form-data; boundary=""', 'malformed_body'],
    [`multipart/form-data; boundary=${longest}z`, 'malformed_body'],
    ['multipart/form-data; boundary="b "', 'malformed_body'],
    ['multipart/form-data; boundary="\u00e9"', 'malformed_body'],
    ['multipart/form-data; boundary="a\\"b"', 'malformed_body'],
    ['multipart/form-data; boundary="a\r\nb"', 'malformed_body'],
    ['', 'unsupported_type'],
    ['multipart/mixed; boundary=b', 'unsupported_type'],
    ['application/octet-stream', 'unsupported_type'],
  ])('%j receives %s, and nothing is read', async (contentType, code) => {
    const source = ArraySource.of(form('b', [file('x')]))
    await expect(read(source, contentType)).rejects.toMatchObject({ code })
    expect(source.taken).toBe(0)
  })
})

test.each([
  ['only CRLF after the file part', [file('content')], '--\r\n', [7, 9, 5]],
  ['nothing after it', [file('content')], '--', [5, 7, 3]],
  ['an empty file and nothing after it', [file('')], '--', [0]],
])('The possible lengths of the file part follow from Content-Length: %s', async (_name, parts, end, lengths) => {
  const body = form('b', parts, end)
  const request = await read(ArraySource.of(body), 'multipart/form-data; boundary=b', body.length)
  expect(request.lengths).toEqual(lengths)
})

describe('The file as a source', () => {
  const body = form('b', [field('a', '1'), file('content')])
  const start = body.indexOf('content')
  const type = 'multipart/form-data; boundary=b'
  const cut = new UploadError('connection_closed', 'Cut.')

  test('returns the bytes that arrived, and then the error of the body', async () => {
    for (const length of [1, 30, start]) {
      const source = new ArraySource([[body.subarray(0, length)]], cut)
      await expect(read(source, type)).rejects.toBe(cut)
    }
    const { file } = await read(new ArraySource([[body.subarray(0, start + 3)]], cut), type)
    expect(await file.read()).toEqual([Buffer.from('con')])
    await expect(file.read()).rejects.toBe(cut)
    await expect(file.read()).rejects.toBe(cut)
  })

  test('returns the bytes before a fault, and the error every time after', async () => {
    const { file } = await read(ArraySource.of(body.subarray(0, -4)), type)
    expect(await file.read()).toEqual([Buffer.from('content')])
    await expect(file.read()).rejects.toMatchObject({ code: 'malformed_body' })
    await expect(file.read()).rejects.toMatchObject({ code: 'malformed_body' })
  })

  test('drops unread bytes and cancels the body when it is cancelled', async () => {
    const source = ArraySource.of(body)
    const { file } = await read(source, type)
    file.cancel(cut)
    await expect(file.read()).rejects.toBe(cut)
    await expect(source.read()).rejects.toBe(cut)
  })

  test('ends a waiting read when it is cancelled, also if the body cannot be cancelled any more', async () => {
    for (const answer of ['reject', 'bytes', 'end']) {
      let settle = (): void => {}
      const batches = [[body.subarray(0, start)], [Buffer.from('c')]]
      const source: Source = {
        waitingSince: 17,
        read: () => {
          const batch = batches.shift()
          if (batch !== undefined) return Promise.resolve(batch)
          return new Promise((resolve, reject) => {
            settle = () => {
              if (answer === 'reject') reject(cut)
              else resolve(answer === 'bytes' ? [Buffer.from('on')] : null)
            }
          })
        },
        cancel: () => settle(),
      }
      const { file } = await read(source, type)
      expect(await file.read()).toEqual([Buffer.from('c')])
      const reading = file.read()
      expect(file.waitingSince).toBe(17)
      file.cancel(cut)
      await expect(reading).rejects.toBe(cut)
    }
  })

  test('returns null again after null', async () => {
    const { file } = await read(ArraySource.of(body), type)
    expect(await file.read()).toEqual([Buffer.from('content')])
    expect(await file.read()).toBeNull()
    expect(await file.read()).toBeNull()
  })

  test('is the same with empty batches and buffers', async () => {
    const pieces = [...body].flatMap((byte) => [
      [],
      [Buffer.alloc(0)],
      [Buffer.alloc(0), Buffer.of(byte), Buffer.alloc(0)],
    ])
    expect(await outcomeOf(new ArraySource(pieces), 'b')).toMatchObject({ file: 'content', trailing: {} })
  })
})

describe('The reader of multipart bodies and busboy', () => {
  /** What busboy alone makes of a body. */
  function withBusboy(body: Buffer, boundary: string): Promise<{ fields: [string, string][]; file: Buffer }> {
    return new Promise((resolve, reject) => {
      const fields: [string, string][] = []
      const file: Buffer[] = []
      const parser = busboy({
        headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
        defParamCharset: 'utf8',
        preservePath: true,
      })
      parser.on('field', (name, value) => fields.push([name ?? '', value]))
      parser.on('file', (_name, stream) => stream.on('data', (bytes: Buffer) => file.push(bytes)))
      parser.on('close', () => resolve({ fields, file: Buffer.concat(file) })).on('error', reject)
      parser.end(body)
    })
  }

  const boundary = fc.stringMatching(/^[a-c-]{1,12}$/)
  const name = fc.constantFrom('a', 'c', 'd', 'f0', 'f1')
  const content = (around: string) =>
    fc
      .array(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 10 }),
          fc.constantFrom('\r', '\n', '\r\n', '\r\n\r\n', '-', '\r\n-', '\r\n--', 'a', 'b', 'c'),
          fc.nat(around.length).map((length) => `\r\n--${around}`.slice(0, length + 3)),
        ),
        { maxLength: 12 },
      )
      .map((texts) => texts.join(''))

  test('agree on the fields and the file of any valid body in any pieces', async () => {
    const bodies = boundary.chain((b) =>
      fc.tuple(
        fc.constant(b),
        fc.array(fc.tuple(name, content(b)), { maxLength: 6 }),
        content(b),
        fc.array(fc.tuple(name, content(b)), { maxLength: 2 }),
        fc.array(fc.nat(3000)),
      ),
    )
    let compared = 0
    await fc.assert(
      fc.asyncProperty(bodies, async ([b, before, inFile, after, places]) => {
        // Valid is a body whose contents do not have the boundary in them
        fc.pre([inFile, ...before, ...after].flat().every((text) => !`\r\n${text}\r\n`.includes(`\r\n--${b}`)))
        const parts = (list: readonly (readonly [string, string])[]) => list.map(([n, value]) => field(n, value))
        const body = form(b, [...parts(before), file(inFile), ...parts(after)])
        const expected = await withBusboy(body, b)
        const request = await read(
          new LendingSource(ArraySource.of(...cutAt(body, places))),
          `multipart/form-data; boundary="${b}"`,
          body.length,
        )
        const bytes: Buffer[] = []
        for (let batch = await request.file.read(); batch !== null; batch = await request.file.read())
          bytes.push(Buffer.concat(batch))
        expect(Buffer.concat(bytes).equals(expected.file)).toBe(true)
        for (const [fields, pairs] of [
          [textsOf(request.fields), expected.fields.slice(0, before.length)],
          [textsOf(request.file.trailing.fields), expected.fields.slice(before.length)],
        ] as const) {
          const byName: Record<string, string[]> = {}
          for (const [n, value] of pairs) byName[n] = [...(byName[n] ?? []), value]
          expect(fields).toEqual(byName)
        }
        if (after.length === 0) expect(request.lengths[0]).toBe(expected.file.length)
        compared++
      }),
      { numRuns: 500 },
    )
    expect(compared).toBeGreaterThan(250)
  })
})
