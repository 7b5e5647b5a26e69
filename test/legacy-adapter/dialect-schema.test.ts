/** What a dialect may say, and what a recording suggests. */
import { describe, expect, it } from '@jest/globals'
import { draftOf, type RecordedRequest } from '../../legacy-adapter/dialects/draft.ts'
import { parseDialect, parseDialectText } from '../../legacy-adapter/dialects/schema.ts'
import { SHIPPED_NAMES, shippedDialect, shippedJson } from '../../legacy-adapter/dialects/shipped.ts'
import { readDialects } from '../../server/open-dialects.ts'

const PAGE = {
  name: 'page',
  path: '/upload/page',
  fields: { task: 'guid', name: 'title', size: 'bytes' },
  place: { by: 'index', index: 'part', count: 'of', chunkSize: 'cut' },
}

const faultsOf = (json: unknown): readonly string[] => {
  try {
    parseDialect('page.json', json)
    return []
  } catch (error) {
    return String(error).replace('Error: ', '').split('\n')
  }
}

describe('A dialect', () => {
  it.each(SHIPPED_NAMES)('of the package has no faults: %s', async (name) => {
    expect(await shippedDialect(name)).toMatchObject({ name, path: `/upload/${name}` })
    expect(JSON.stringify(await shippedJson(name)).length).toBeLessThan(2000)
  })

  it.each<[fault: string, json: unknown, sentence: string]>([
    ['is no object', [], 'page.json: The dialect must be an object.'],
    ['has no path', { ...PAGE, path: undefined }, 'page.json: path is missing.'],
    [
      'has a path with a slash at its end',
      { ...PAGE, path: '/upload/' },
      'page.json: path must be a path like /upload/photos, of letters, digits, and ._~-, without a slash at its end.',
    ],
    ['has a member that means nothing', { ...PAGE, chunks: 1 }, 'page.json: The dialect has no member "chunks".'],
    [
      'names no value',
      { ...PAGE, fields: { ...PAGE.fields, size: 'part:size' } },
      'page.json: fields.size must be the name of a field, or one after form:, query:, header:, path:, or kept:, or part:filename, or part:type.',
    ],
    [
      'does not say where chunks go',
      { ...PAGE, place: undefined },
      'page.json: place must say where chunks go, unless "whole" is true.',
    ],
    [
      'places chunks in a way that does not exist',
      { ...PAGE, place: { by: 'name' } },
      'page.json: place.by must have "by": "index", "offset", or "content-range".',
    ],
    [
      'says neither how many chunks there are nor how long',
      { ...PAGE, place: { by: 'index', index: 'part' } },
      'page.json: place.count must be given, unless chunkSize is.',
    ],
    [
      'has a part of a value without saying which',
      { ...PAGE, fields: { ...PAGE.fields, size: { value: 'facts' } } },
      'page.json: fields.size must be the name of a field, or one after form:, query:, header:, path:, or kept:, or part:filename, or part:type, or have that as "value", with member, after, afterLast, before, or beforeLast.',
    ],
    [
      'has no size, and no chunk size',
      { ...PAGE, fields: { task: 'guid', name: 'title' }, place: { by: 'index', index: 'part', count: 'of' } },
      'page.json: fields.size must be given, unless place says it (content-range), has chunkSize, or chunks come one after the other (sequential).',
    ],
    [
      'says nowhere where a file ends',
      { ...PAGE, fields: { task: 'guid', name: 'title' }, place: { by: 'index', index: 'part', chunkSize: 1024 } },
      'page.json: fields.size must be given, unless place has count, or finish is called.',
    ],
    [
      'tells selections of a file apart whose size is unknown',
      { ...PAGE, fields: { task: 'guid', name: 'title', sender: ['id'] } },
      'page.json: fields.sender must be absent, because chunks do not have size.',
    ],
    [
      'has a chunk size of nothing',
      { ...PAGE, place: { ...PAGE.place, chunkSize: 0 } },
      'page.json: place.chunkSize must be a number of bytes, or where one is.',
    ],
    [
      'has a file before its fields in a body that has none',
      { ...PAGE, chunk: { body: 'raw', file: 'first' } },
      'page.json: chunk.file must be absent, because body is raw.',
    ],
    [
      'names a value that nothing keeps',
      { ...PAGE, fields: { ...PAGE.fields, name: 'kept:title' } },
      'page.json: create has no title in keep, which kept:title names.',
    ],
    [
      'issues a task that chunks do not have',
      { ...PAGE, fields: { name: 'title', size: 'bytes' }, create: { path: '/begin', done: 200 } },
      'page.json: fields.task must be given, because create issues it.',
    ],
    [
      'lists chunks by a text without their number',
      { ...PAGE, test: { list: { as: '{task}', answer: 200 } } },
      'page.json: test.0.list.as must be "number", "string", or a text with {chunk} in it, such as "{task}-{chunk}".',
    ],
    [
      'cannot tell files apart',
      { ...PAGE, fields: { size: 'bytes' } },
      'page.json: fields must have task or name, which tell files apart.',
    ],
    [
      'answers with a redirect',
      { ...PAGE, answer: { stored: 302 } },
      'page.json: answer.stored.status must be a status from 200 to 599, and no redirect.',
    ],
    [
      'answers with a value that does not exist',
      { ...PAGE, answer: { stored: { json: { path: ['$path'] } } } },
      'page.json: answer.stored.json has no variable $path; there are $id, $url, $name, $size, $received, $finished, $result, $task, $chunk, $have, $missing, $code, $message.',
    ],
    [
      'has two calls that no request tells apart',
      { ...PAGE, finish: [{ path: '/end' }, { path: '/end' }] },
      'page.json: finish.1 has the method, the path, and the conditions of another role.',
    ],
    [
      'has a test without answers',
      { ...PAGE, test: { method: 'GET' } },
      'page.json: test.0 must have need, with or without have, or else list.',
    ],
  ])('is refused with one sentence if it %s', (_, json, sentence) => {
    expect(faultsOf(json)).toEqual([sentence])
  })

  it('is refused with a sentence for each fault', () => {
    expect(faultsOf({ ...PAGE, name: 'Page!', path: 'upload' })).toHaveLength(2)
    expect(() => parseDialectText('page.json', '{')).toThrow(/^page\.json: The dialect must be JSON \(/)
  })

  it('is refused at a path of the service, or of another dialect', async () => {
    const at = (...choices: readonly (readonly [string, string | undefined])[]) =>
      readDialects(choices.map(([source, path]) => ({ source, path })))
    await expect(at(['flow', '/upload/accept'])).rejects.toThrow(
      'DIALECTS: the path /upload/accept of flow is one of the service itself.',
    )
    await expect(at(['flow', '/a'], ['dropzone', '/a/b'])).rejects.toThrow(
      'DIALECTS: the paths /a of flow and /a/b of dropzone overlap.',
    )
    await expect(at(['flaw', undefined])).rejects.toThrow(/^DIALECTS: there is no dialect flaw; there are blueimp, /)
    await expect(at(['none.json', undefined])).rejects.toThrow('DIALECTS: none.json cannot be read (ENOENT).')
  })
})

/** Requests as a page sends them. */
function recorded(
  fieldsOf: (chunk: number) => Readonly<Record<string, string | number>>,
  lengths: readonly number[],
  order: readonly number[] = lengths.map((_, chunk) => chunk),
): readonly RecordedRequest[] {
  return order.map((chunk) => ({
    method: 'POST',
    path: '/save',
    query: new Map(),
    form: new Map(Object.entries(fieldsOf(chunk)).map(([name, value]) => [name, String(value)])),
    headers: new Map([['content-type', 'multipart/form-data; boundary=x']]),
    file: { name: 'video.mp4', length: lengths[chunk] ?? 0 },
  }))
}

describe('The draft for a recorded page', () => {
  const guid = '0b0f3a52-6a3c-4a54-9c37-0e1c5d2b7f10'

  it('has the places of chunks by their index', () => {
    const requests = recorded(
      (chunk) => ({ guid, part: chunk + 1, of: 3, total: 2500, step: 1000, title: 'video.mp4' }),
      [1000, 1000, 500],
      [0, 2, 1],
    )
    const draft = draftOf(requests)
    expect(draft?.doubts).toEqual([])
    expect(draft?.dialect).toMatchObject({
      path: '/save',
      fields: { task: 'guid', guessable: false, name: 'title', size: 'total' },
      place: { by: 'index', index: 'part', base: 1, count: 'of', chunkSize: 'step' },
    })
    expect(faultsOf(draft?.dialect)).toEqual([])
  })

  it('has the places of chunks by their offset', () => {
    const requests = recorded((chunk) => ({ guid, from: chunk * 1000, bytes: 2500, cut: 1000 }), [1000, 1000, 500])
    const draft = draftOf(requests)
    expect(draft?.dialect).toMatchObject({
      fields: { task: 'guid', name: 'part:filename', size: 'bytes' },
      place: { by: 'offset', offset: 'from', chunkSize: 'cut' },
    })
    expect(faultsOf(draft?.dialect)).toEqual([])
  })

  it('has the parts of values, the calls next to the chunks, and a chunk size that no field has', () => {
    const hash = '0123456789abcdef0123456789abcdef'
    const fields = (chunk: number) => ({ hash: `${hash}-${chunk}`, filename: 'video.mp4', fileHash: hash })
    const call = (path: string, form: Readonly<Record<string, string>>): RecordedRequest => ({
      method: 'POST',
      path,
      query: new Map(),
      form: new Map(Object.entries(form)),
      headers: new Map([['content-type', 'application/json']]),
      file: undefined,
    })
    const chunks = recorded(fields, [1000, 1000, 500]).map((chunk) => ({
      ...chunk,
      path: '/api/upload',
      file: { name: 'blob', length: chunk.file?.length ?? 0 },
      isFileFirst: true,
    }))
    const verify = call('/api/verify', { fileHash: hash })
    const draft = draftOf([verify, ...chunks, call('/api/merge', { filename: 'video.mp4', fileHash: hash })])
    expect(draft?.dialect).toEqual({
      name: 'my-page',
      path: '/api',
      chunk: { method: 'POST', path: '/upload', body: 'multipart', file: 'first' },
      fields: { task: 'fileHash', content: 'fileHash', name: 'filename' },
      place: { by: 'index', index: { value: 'hash', afterLast: '-' }, base: 0, chunkSize: 1000 },
      test: { method: 'POST', path: '/verify', task: 'fileHash', of: 'task', need: 204 },
      finish: { method: 'POST', path: '/merge', task: 'fileHash', name: 'filename' },
    })
    expect(faultsOf(draft?.dialect)).toEqual([])
    expect(draft?.doubts).toHaveLength(3)
  })

  it('has the members of a field that is a JSON object', () => {
    const facts = (chunk: number) => ({
      FileGuid: guid,
      FileName: 'video.mp4',
      Index: chunk,
      TotalCount: 3,
      FileSize: 2500,
    })
    const draft = draftOf(recorded((chunk) => ({ chunkMetadata: JSON.stringify(facts(chunk)) }), [1000, 1000, 500]))
    const member = (name: string) => ({ value: 'chunkMetadata', member: name })
    expect(draft?.dialect).toMatchObject({
      fields: { task: member('FileGuid'), size: member('FileSize') },
      place: { by: 'index', index: member('Index'), count: member('TotalCount') },
    })
    expect(faultsOf(draft?.dialect)).toEqual([])
  })

  it('says what it could not find out', () => {
    const draft = draftOf(recorded(() => ({}), [1000, 1000, 500]))
    expect(draft?.doubts.length).toBeGreaterThan(1)
    expect(draftOf([])).toBeUndefined()
  })
})
