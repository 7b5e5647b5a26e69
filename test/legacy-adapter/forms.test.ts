import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { expectAccepted, expectRefusal } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { BOUNDARY, complete, MULTIPART } from '../support/webuploader.ts'

/** 测试.txt in charsets that are not UTF-8. */
const GBK = Buffer.from('b2e2cad42e747874', 'hex')
const BIG5 = Buffer.from('b4fab8d52e747874', 'hex')
const SHIFT_JIS = Buffer.from('91aa8e8e2e747874', 'hex')
const NAME = '测试.txt'
/** The same word in Taiwan and Japan. */
const NAME_IN_TAIWAN = '測試.txt'
const NAME_IN_JAPAN = '測試.txt'

let service: TestService
let tasks = 0

beforeAll(async () => {
  service = await startService({ LEGACY_IDENTITY: 'task_id,id,name,size,lastModifiedDate,chunks,owner' })
})
afterAll(() => service.close())

type Bytes = string | Uint8Array

function joined(...pieces: readonly Bytes[]): Buffer<ArrayBuffer> {
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
}

/** A part whose header has these lines. */
function part(header: Bytes, content: Bytes): Buffer<ArrayBuffer> {
  return joined(`--${BOUNDARY}\r\n`, header, '\r\n\r\n', content, '\r\n')
}

function field(name: string, value: Bytes, more = ''): Buffer<ArrayBuffer> {
  return part(`Content-Disposition: form-data; name="${name}"${more}`, value)
}

const CONTENT = bytesOf(2500)
const END = `--${BOUNDARY}--\r\n`
const FILE = part('Content-Disposition: form-data; name="file"; filename="f.bin"', CONTENT)

function newTask(): string {
  return `wu_task_of_a_form_${++tasks}`
}

/** The fields of a file in one chunk. */
function fieldsOf(task: string, more: Readonly<Record<string, string>> = {}): Buffer<ArrayBuffer> {
  const all = { task_id: task, id: 'WU_FILE_0', size: String(CONTENT.length), ...more }
  return joined(...Object.entries(all).map(([name, value]) => field(name, value)))
}

function post(...pieces: readonly Bytes[]): Promise<Response> {
  return fetch(`${service.url}/upload/accept`, {
    method: 'POST',
    headers: { 'Content-Type': MULTIPART },
    body: joined(...pieces),
  })
}

/** Sends a form that is accepted. @returns the name of the file from complete and on disk. */
async function namesOf(task: string, ...pieces: readonly Bytes[]): Promise<[name: string, stored: string | undefined]> {
  const { id, finished } = await expectAccepted(await post(...pieces))
  expect(finished).toBe(true)
  const answer = await complete(service.url, { task_id: task })
  const { name } = JSON.parse(await answer.text())
  const stored = await readdir(path.join(service.dataDir, 'files', id))
  return [name, stored.join()]
}

describe('The end of a form', () => {
  it.each([
    ['nothing', ''],
    ['spaces', ' \t \r\n'],
    ['empty lines', '\r\n\r\n\r\n'],
    ['an epilogue', '\r\nThis is the epilogue.\r\n--'],
  ])('may be followed by %s', async (_, epilogue) => {
    const task = newTask()
    await expectAccepted(await post(fieldsOf(task), FILE, `--${BOUNDARY}--${epilogue}`))
  })

  it.each([
    ['chunk 0 of 1,000 bytes', 1000, 0],
    ['chunk 1 of 1,000 bytes', 1000, 1],
    ['the last chunk of 1,000 bytes', 1000, 2],
    ['chunk 0 of 1,024 bytes', 1024, 0],
    ['the last chunk of 1,024 bytes', 1024, 2],
    ['chunk 0 of 999 bytes', 999, 0],
  ])('does not affect the placing of the first chunk: %s', async (_, chunkSize, chunk) => {
    for (const epilogue of ['', '\r\n', '\r\n\r\n']) {
      const task = newTask()
      let url = ''
      for (const index of [chunk, 0, 1, 2]) {
        const fields = fieldsOf(task, { chunks: '3', chunk: String(index) })
        const bytes = CONTENT.subarray(index * chunkSize, (index + 1) * chunkSize)
        const file = part('Content-Disposition: form-data; name="file"; filename="f.bin"', bytes)
        url = (await expectAccepted(await post(fields, file, `--${BOUNDARY}--${epilogue}`))).url
      }
      const download = await (await fetch(`${service.url}${url}`)).arrayBuffer()
      expect(Buffer.from(download).equals(CONTENT)).toBe(true)
    }
  })
})

describe('The header of a part', () => {
  it.each<[string, Bytes, string]>([
    ['has no spaces', 'content-disposition:form-data;name="file";filename="a.txt"', 'a.txt'],
    ['has names in capitals', 'CONTENT-DISPOSITION: FORM-DATA; NAME="file"; FILENAME="a.txt"', 'a.txt'],
    ['ends with a semicolon', 'Content-Disposition: form-data; name="file"; filename="a.txt"; ', 'a.txt'],
    ['is folded', 'Content-Disposition: form-data;\r\n\tname="file";\r\n filename="a.txt"', 'a.txt'],
    [
      'has spaces around its colon and equals signs',
      'Content-Disposition : form-data; name = file; filename = "a.txt"',
      'a.txt',
    ],
    ['says attachment', 'Content-Disposition: attachment; name="file"; filename="a.txt"', 'a.txt'],
    ['says file', 'Content-Disposition: file; filename="a.txt"', 'a.txt'],
    [
      'has malformed lines',
      'no header\r\n: \r\nContent-Type: //;;=\r\nContent-Disposition: form-data; filename="a.txt"',
      'a.txt',
    ],
    [
      'has other header fields',
      'MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <"\r\nContent-Disposition: form-data; filename="a.txt"',
      'a.txt',
    ],
    [
      'has other parameters',
      'Content-Disposition: form-data; x="; filename=\\"b\\""; y=z; filename="a.txt"; size=9',
      'a.txt',
    ],
    ['names two files', 'Content-Disposition: form-data; filename="a.txt"; filename="b.txt"', 'a.txt'],
    ['quotes nothing', 'Content-Disposition: form-data; name=file; filename=a b.txt', 'a b.txt'],
    [
      'quotes nothing, and has a semicolon in the name',
      'Content-Disposition: form-data; name=file; filename=a;b.txt',
      'a;b.txt',
    ],
    [
      'has a quote that Flash did not escape',
      'Content-Disposition: form-data; name="file"; filename="a"b.txt"',
      'a"b.txt',
    ],
    ['has a quote and a semicolon', 'Content-Disposition: form-data; name="file"; filename="a";b.txt"', 'a";b.txt'],
    [
      'has a quote that a browser escaped',
      'Content-Disposition: form-data; name="file"; filename="a%22b.txt"',
      'a"b.txt',
    ],
    [
      'has a quote that curl escaped',
      'Content-Disposition: form-data; name="file"; filename="a\\"b\\\\c.txt"',
      'a"b\\c.txt',
    ],
    [
      'has a quote and a parameter that curl escaped',
      'Content-Disposition: form-data; name="file"; filename="a\\"; x=\\"b"',
      'a"; x="b',
    ],
    ['has a backslash at its end', 'Content-Disposition: form-data; name="file"; filename="a\\"', 'a\\'],
    ['has a backslash before a parameter', 'Content-Disposition: form-data; name="file\\"; filename="a.txt"', 'a.txt'],
    ['lacks a quote', 'Content-Disposition: form-data; name="file"; filename="a.txt', 'a.txt'],
    ['has words after the quotes', 'Content-Disposition: form-data; name="file"; filename="a.txt" (comment)', 'a.txt'],
    [
      'states the name twice',
      `Content-Disposition: form-data; filename="=?utf-8?B?5rWL6K+VLnR4dA==?="; filename*=utf-8''%E6%B5%8B%E8%AF%95.txt`,
      NAME,
    ],
    [
      'states the name twice, the longer one first',
      `Content-Disposition: form-data; filename*=UTF-8'zh'%e6%b5%8b%e8%af%95.txt; filename="a"`,
      NAME,
    ],
    ['states the name in GBK', `Content-Disposition: form-data; name="file"; filename*=GBK''%B2%E2%CA%D4.txt`, NAME],
    ['states the name in quotes', `Content-Disposition: form-data; filename*="UTF-8''%E6%B5%8B%E8%AF%95.txt"`, NAME],
    [
      'states the name in an unknown charset',
      `Content-Disposition: form-data; filename*=x-no''%E6%B5%8B%E8%AF%95.txt`,
      NAME,
    ],
    ['has a malformed filename*', `Content-Disposition: form-data; filename*=x; filename="a.txt"`, 'a.txt'],
    [
      'has the path that Internet Explorer sends',
      'Content-Disposition: form-data; name="file"; filename="C:\\files\\a.txt"',
      'a.txt',
    ],
    [
      'has the path of a share',
      'Content-Disposition: form-data; name="file"; filename="\\\\server\\share\\a.txt"',
      'a.txt',
    ],
    ['has the path of a folder', 'Content-Disposition: form-data; name="file"; filename="folder/a.txt"', 'a.txt'],
    ['has a name in GBK', joined('Content-Disposition: form-data; name="file"; filename="', GBK, '"'), NAME],
    [
      'has a name in Latin-1',
      joined('Content-Disposition: form-data; name="file"; filename="', Buffer.from('é.txt', 'latin1'), '"'),
      'é.txt',
    ],
  ])('%s', async (_, header, name) => {
    const task = newTask()
    const names = await namesOf(task, fieldsOf(task), part(header, CONTENT), END)
    expect(names[0]).toBe(name)
  })

  it('may be missing, and the part is skipped', async () => {
    const task = newTask()
    const others = joined(
      `--${BOUNDARY}\r\n\r\nx\r\n`,
      part('X-Other: y', 'x'),
      part('Content-Disposition: form-data', 'x'),
    )
    await expectAccepted(await post(others, fieldsOf(task), FILE, others, END))
  })

  it('is refused if it never ends, or has a Content-Transfer-Encoding', async () => {
    const task = newTask()
    const header = `Content-Disposition: form-data; name="size"\r\nX: ${'x'.repeat(17_000)}`
    await expectRefusal(await post(part(header, '2500'), FILE, END), 400, 'malformed_body')
    const coded = field('name', 'YQ==', '\r\nContent-Transfer-Encoding: Base64')
    expect(await expectRefusal(await post(fieldsOf(task), coded, FILE, END), 400, 'malformed_body')).toContain(
      'Content-Transfer-Encoding',
    )
    await expectAccepted(
      await post(fieldsOf(task), field('other', 'YQ==', '\r\nContent-Transfer-Encoding: Base64'), FILE, END),
    )
  })

  it('of a file may have an empty name', async () => {
    const task = newTask()
    const file = part('Content-Disposition: form-data; name="file"; filename=""', CONTENT)
    expect(await namesOf(task, fieldsOf(task), file, END)).toEqual(['file', 'file'])
  })
})

describe('The text of a field', () => {
  it.each<[string, Bytes, Bytes, string]>([
    ['its part says GBK', '', field('name', GBK, '\r\nContent-Type: text/plain; charset=GBK'), NAME],
    ['its part says "gb18030"', '', field('name', GBK, '\r\ncontent-type: text/plain;charset="gb18030"'), NAME],
    ['its part says Big5', '', field('name', BIG5, '\r\nContent-Type: text/plain; charset=big5'), NAME_IN_TAIWAN],
    [
      'its part says Shift_JIS',
      '',
      field('name', SHIFT_JIS, '\r\nContent-Type: text/plain; charset=Shift_JIS'),
      NAME_IN_JAPAN,
    ],
    [
      'its part says UTF-16LE',
      '',
      field('name', Buffer.from(NAME, 'utf16le'), '\r\nContent-Type: text/plain; charset=utf-16le'),
      NAME,
    ],
    ['its part declares UTF-8 but is GBK', '', field('name', GBK, '\r\nContent-Type: text/plain; charset=utf-8'), NAME],
    [
      'its part declares an unknown charset',
      '',
      field('name', NAME, '\r\nContent-Type: text/plain; charset=nonsense'),
      NAME,
    ],
    ['_charset_ says Big5', field('_charset_', 'Big5'), field('name', BIG5), NAME_IN_TAIWAN],
    ['_charset_ comes later', '', joined(field('name', SHIFT_JIS), field('_charset_', 'shift_jis')), NAME_IN_JAPAN],
    ['_charset_ is for the file name, too', field('_charset_', 'Big5'), '', NAME_IN_TAIWAN],
    ['nothing declares UTF-8', '', field('name', NAME), NAME],
    ['nothing declares GBK', '', field('name', GBK), NAME],
    ['nothing declares Latin-1', '', field('name', Buffer.from('é.txt', 'latin1')), 'é.txt'],
    ['it starts with a byte order mark', '', field('name', `\ufeff${NAME}`), NAME],
  ])('is decoded correctly if %s', async (_, before, after, name) => {
    const task = newTask()
    const file = part(joined('Content-Disposition: form-data; name="file"; filename="', BIG5, '"'), CONTENT)
    expect(await namesOf(task, before, fieldsOf(task), after, file, END)).toEqual([name, name])
  })

  it('may have a byte order mark in every field', async () => {
    const task = newTask()
    const marked = Object.entries({ task_id: task, id: 'x', name: 'a.bin', size: '2500', chunks: '1', chunk: '0' }).map(
      ([name, value]) => field(name, `\ufeff${value}`),
    )
    expect(await namesOf(task, ...marked, FILE, END)).toEqual(['a.bin', 'a.bin'])
  })

  it.each(['.gitignore', '.htaccess', 'e\u0301.txt', '\u00e9.txt'])('%j becomes the name on disk', async (name) => {
    const task = newTask()
    expect(await namesOf(task, fieldsOf(task, { name }), FILE, END)).toEqual([name, name])
  })
})

describe('Ignored fields', () => {
  it('may be of any length and number, before and after the file', async () => {
    const task = newTask()
    const long = field('description', 'x'.repeat(3_000_000))
    const many = joined(...Array.from({ length: 10_000 }, (_, index) => field(`f${index}`, 'y')))
    const longName = field('n'.repeat(1000), 'x')
    await expectAccepted(await post(long, many, longName, fieldsOf(task), long, FILE, many, long, END))
  })

  it('may be in a query', async () => {
    const task = newTask()
    const more = Array.from({ length: 1000 }, (_, index) => `f${index}=y&`).join('')
    const url = `${service.url}/upload/accept?${more}description=${'x'.repeat(9000)}&task_id=${task}&size=2500`
    await expectAccepted(await fetch(url, { method: 'POST', body: CONTENT }))
  })

  it('are not those of LEGACY_IDENTITY', async () => {
    const task = newTask()
    const first = await expectAccepted(await post(fieldsOf(task, { owner: 'a', other: 'a' }), FILE, END))
    const same = await expectAccepted(await post(fieldsOf(task, { owner: 'a', other: 'b' }), FILE, END))
    const other = await expectAccepted(await post(fieldsOf(task, { owner: 'b', other: 'b' }), FILE, END))
    expect([same.id === first.id, other.id === first.id]).toEqual([true, false])
  })

  it('differ from the others, which are bounded in length and number', async () => {
    for (const name of ['task_id', 'lastModifiedDate', 'owner']) {
      const fields = fieldsOf(newTask(), { [name]: 'x'.repeat(8193) })
      expect(await expectRefusal(await post(fields, FILE, END), 400, 'field_too_large')).toContain(`"${name}"`)
    }
    const many = joined(...Array.from({ length: 65 }, () => field('id', 'x')))
    await expectRefusal(await post(many, fieldsOf(newTask()), FILE, END), 400, 'too_many_fields')
  })
})

describe('Fields after the file', () => {
  it.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, string>>, string]>([
    ['all of them', {}, { task_id: 't', id: 'x', name: 'a.bin', size: '2500' }, 'size'],
    ['all but the task', { task_id: 't' }, { name: 'a.bin', size: '2500' }, 'size'],
    ['the number of the chunk', { task_id: 't', size: '2500', chunks: '3' }, { chunk: '1' }, 'chunk'],
    ['both numbers', { task_id: 't', size: '2500' }, { chunks: '3', chunk: '1' }, 'chunk'],
    ['the task', { size: '2500' }, { task_id: 't' }, 'task_id'],
  ])('are refused with a sentence that says the remedy: %s', async (_, before, after, name) => {
    const parts = (fields: Readonly<Record<string, string>>): Buffer<ArrayBuffer>[] =>
      Object.entries(fields).map(([key, value]) => field(key, value))
    const response = await post(...parts(before), FILE, ...parts(after), END)
    expect(await expectRefusal(response, 400, 'field_after_file')).toBe(
      `The field "${name}" came after the file; send the fields before the file.`,
    )
  })

  it('are not confused with missing ones', async () => {
    const response = await post(field('task_id', 't'), FILE, field('Upload', 'Submit Query'), END)
    expect(await expectRefusal(response, 400, 'missing_field')).toContain('"size"')
  })
})

describe('A request without a file', () => {
  const date = 'Mon Nov 23 2026 07:35:14 GMT+0000 (Coordinated Universal Time)'

  /** Equivalent bodies, each with its Content-Type. */
  const ways: [string, string | undefined, (fields: Readonly<Record<string, string>>) => Bytes | FormData][] = [
    [
      'FormData',
      undefined,
      (fields) => {
        const form = new FormData()
        for (const [name, value] of Object.entries(fields)) form.append(name, value)
        form.append('mine', new Blob(['x'.repeat(100_000)]), 'a.bin')
        return form
      },
    ],
    ['JSON with a byte order mark', 'application/json', (fields) => `\ufeff${JSON.stringify(fields)}`],
    [
      'JSON in UTF-16LE with a byte order mark',
      'application/json',
      (f) => Buffer.from(`\ufeff${JSON.stringify(f)}`, 'utf16le'),
    ],
    ['JSON in UTF-16LE without one', 'application/json', (fields) => Buffer.from(JSON.stringify(fields), 'utf16le')],
    [
      'JSON in UTF-16BE',
      'application/json; charset=utf-16',
      (f) => Buffer.from(`\ufeff${JSON.stringify(f)}`, 'utf16le').swap16(),
    ],
    ['JSON in GBK', 'application/json; charset=GBK', (f) => joinedInGbk(JSON.stringify(f))],
    ['a form in GBK', 'application/x-www-form-urlencoded; charset=GBK', (f) => escapedInGbk(f)],
    ['a form in GBK without a declaration', 'application/x-www-form-urlencoded', (f) => escapedInGbk(f)],
    ['a form in GBK that declares UTF-8', 'application/x-www-form-urlencoded; charset=UTF-8', (f) => escapedInGbk(f)],
    ['a form with a byte order mark', 'text/plain', (f) => `\ufeff${new URLSearchParams(f)}`],
    [
      'a form with ignored fields',
      'application/x-www-form-urlencoded',
      (f) => `x=${'y'.repeat(20_000)}&${'z&'.repeat(10_000)}${new URLSearchParams(f)}`,
    ],
  ]

  function joinedInGbk(text: string): Buffer {
    return Buffer.concat(
      text
        .split('测试')
        .flatMap((piece, index) => [index > 0 ? GBK.subarray(0, 4) : '', piece].map((p) => Buffer.from(p))),
    )
  }

  function escapedInGbk(fields: Readonly<Record<string, string>>): string {
    return String(new URLSearchParams(fields)).replaceAll(encodeURIComponent('测试'), '%B2%E2%CA%D4')
  }

  it.each(ways)('may be %s', async (_, contentType, bodyOf) => {
    const task = newTask()
    const ask = async (route: string, fields: Readonly<Record<string, string>>): Promise<unknown> => {
      const body = bodyOf(fields)
      const headers = contentType === undefined ? undefined : { 'Content-Type': contentType }
      const sent = body instanceof FormData ? body : Buffer.from(body)
      const response = await fetch(`${service.url}${route}`, {
        method: 'POST',
        body: sent,
        ...(headers && { headers }),
      })
      return JSON.parse(await response.text())
    }
    const chunk = (index: number): Promise<Response> => {
      const place = { name: NAME, lastModifiedDate: date, chunks: '3', chunk: String(index) }
      const bytes = CONTENT.subarray(index * 1000, (index + 1) * 1000)
      return post(
        fieldsOf(task, place),
        part('Content-Disposition: form-data; name="file"; filename="blob"', bytes),
        END,
      )
    }
    for (const index of [0, 1]) await expectAccepted(await chunk(index))
    const all = { task_id: task, id: 'WU_FILE_0', name: NAME, size: '2500', lastModifiedDate: date, chunks: '3' }
    const { file_list } = (await ask('/check', all)) as { file_list: string[][] }
    expect(file_list.flat()).toContain(`${task}1`)
    await expectAccepted(await chunk(2))
    expect(await ask('/upload/complete', { task_id: task, filename: NAME })).toMatchObject({ ok: true, name: NAME })
  })

  it('is bounded', async () => {
    const ask = (body: Bytes | FormData): Promise<Response> =>
      fetch(`${service.url}/upload/complete`, {
        method: 'POST',
        body: body instanceof FormData ? body : Buffer.from(body),
      })
    await expectRefusal(await ask('x'.repeat(70_000)), 413, 'too_large')
    const form = new FormData()
    form.append('other', 'x'.repeat(2_000_000))
    await expectRefusal(await ask(form), 413, 'too_large')
  })
})
