/** Which types of files are accepted, by their names and by their first bytes. */
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import { Upload } from 'tus-js-client'
import { create as draftCreate } from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { create, createUpload, head, idOf, locationOf, PATCH_HEADERS, patch } from '../support/tus.ts'
import { complete, cut, sendChunk } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const fixture = (name: string): Promise<Buffer<ArrayBuffer>> =>
  readFile(new URL(`../e2e/fixtures/${name}`, import.meta.url)).then((bytes) => Buffer.from(bytes))

/** A program of Windows, as far as its first bytes tell. */
const program = (length: number): Buffer<ArrayBuffer> => {
  const bytes = Buffer.alloc(length)
  bytes.write('MZ')
  return bytes
}

let service: TestService

afterEach(() => service.close())

const named = (name: string): Readonly<Record<string, string>> => ({
  'Upload-Metadata': `filename ${Buffer.from(name).toString('base64')}`,
})

const uploads = async (): Promise<number> => {
  const folders = ['incoming', 'files'].map((folder) => readdir(path.join(service.dataDir, folder)))
  return (await Promise.all(folders)).flat().length
}

describe('The name of a new file', () => {
  it.each(['evil.exe', 'photo.jpg.exe', 'photo', '', 'photo.', '.jpg/evil.exe'])(
    'is refused by tus before any byte if it is %j',
    async (name) => {
      service = await startService({ ALLOWED_TYPES: '.jpg,.png' })
      const response = await create(service.url, { 'Upload-Length': '5000', ...named(name) })
      expect([response.status, await response.text()]).toEqual([
        415,
        'Only these types of files are accepted: .jpg, .png.\n',
      ])
      expect(response.headers.get('Upload-Error')).toBe('type_not_allowed')
      expect(await uploads()).toBe(0)
    },
  )

  it.each([
    ['.JPG', 'photo.jpg'],
    ['.jpg', 'PHOTO.JPG'],
    ['image/jpeg', 'photo.jpeg'],
    ['image/*', 'photo.jpg'],
    ['application/pdf, image/*', 'photo.png'],
    ['application/x-zip-compressed', 'archive.zip'],
    ['', 'evil.exe'],
  ])('passes ALLOWED_TYPES=%s if it is %s', async (types, name) => {
    service = await startService({ ALLOWED_TYPES: types })
    expect((await create(service.url, { 'Upload-Length': '5000', ...named(name) })).status).toBe(201)
  })

  it('decides, not the type that the client declares', async () => {
    service = await startService({ ALLOWED_TYPES: 'image/*' })
    const declared = `filename ${Buffer.from('a.exe').toString('base64')},filetype ${Buffer.from('image/png').toString('base64')}`
    const response = await create(service.url, { 'Upload-Length': '5', 'Upload-Metadata': declared })
    expect(response.status).toBe(415)
  })

  it('is refused by the draft', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const response = await draftCreate(service.url, true, 'hello', {
      'Content-Disposition': 'attachment; filename="evil.exe"',
    })
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({
      code: 'type_not_allowed',
      detail: 'Only these types of files are accepted: .jpg.',
    })
    expect(await uploads()).toBe(0)
  })

  it('is refused to a legacy page', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const file = cut(program(20), 10, { name: 'evil.exe' })
    const response = await sendChunk(service.url, file.fields(0), file.bytes(0))
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({
      ok: false,
      error: { code: 'type_not_allowed', message: 'Only these types of files are accepted: .jpg.' },
    })
    expect(await uploads()).toBe(0)
  })

  it('is that of the final upload, not of its parts', async () => {
    service = await startService({ ALLOWED_TYPES: '.txt' })
    const part = locationOf(
      await create(service.url, { 'Upload-Length': '5', 'Upload-Concat': 'partial' }),
      service.url,
    )
    expect((await patch(part, 0, Buffer.from('Hello'))).status).toBe(204)
    const concat = { 'Upload-Concat': `final;${part}` }
    expect((await create(service.url, { ...concat, ...named('evil.exe') })).status).toBe(415)
    const final = await create(service.url, { ...concat, ...named('hello.txt') })
    expect(final.status).toBe(201)
    await expectFile(service, locationOf(final, service.url), Buffer.from('Hello'))
  })

  it('reaches the user of tus-js-client as a sentence', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const error = await new Promise<Error>((resolve, reject) => {
      new Upload(Buffer.from('hello'), {
        endpoint: `${service.url}/files`,
        metadata: { filename: 'evil.exe' },
        retryDelays: [0, 0],
        onError: resolve,
        onSuccess: () => reject(new Error('It was accepted.')),
      }).start()
    })
    expect(error.message).toContain('Only these types of files are accepted: .jpg.')
  })

  it('can be checked before, because the session lists the types', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg,image/png' })
    expect(await (await fetch(`${service.url}/session`)).json()).toMatchObject({
      limits: { types: ['.jpg', 'image/png'] },
    })
  })
})

describe('The first bytes of a file', () => {
  const TYPES = '.jpg,.png,.pdf,.mp4,.mov,.docx,.zip,.txt,.csv,.svg,.html,.exe'
  const text = (content: string): Buffer<ArrayBuffer> => Buffer.from(content)

  it.each([
    ['red.png', () => fixture('red.png')],
    ['page.pdf', () => fixture('page.pdf')],
    ['moving.mp4', () => fixture('moving.mp4')],
    ['moving.mov', () => fixture('moving.mp4')],
    ['data.csv', async () => text('a,b\n1,2\n')],
    ['notes.txt', async () => text('BMW and MZ are no types of files here.\n')],
    ['drawing.svg', async () => text('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['drawing.svg', async () => text('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['page.html', async () => text('<!doctype html><title>x</title>')],
    ['empty.txt', async () => text('')],
    ['setup.exe', async () => program(6_000)],
  ] as const)('may be those of %s', async (name, content) => {
    service = await startService({ ALLOWED_TYPES: TYPES })
    const bytes = await content()
    const url = await createUpload(service.url, bytes.length, { filename: name })
    expect((await patch(url, 0, bytes)).status).toBe(204)
    await expectFile(service, url, bytes)
  })

  it.each([
    ['photo.jpg', async () => program(6_000)],
    ['photo.jpg', async () => program(100)],
    ['photo.jpg', async () => text('<!doctype html><script>alert(1)</script>')],
    ['photo.jpg', async () => text('')],
    ['photo.png', () => fixture('page.pdf')],
    ['notes.txt', async () => program(6_000)],
    ['drawing.svg', () => fixture('red.png')],
    ['letter.docx', () => fixture('page.pdf')],
  ] as const)('may not contradict the name %s', async (name, content) => {
    service = await startService({ ALLOWED_TYPES: TYPES })
    const bytes = await content()
    const url = await createUpload(service.url, bytes.length, { filename: name }).catch((error: Error) => error.message)
    const sentence = `The content of this file is not of the type ${path.extname(name)}.\n`
    if (bytes.length === 0) {
      expect(url).toBe(`POST /files: 415 ${sentence}`)
      return
    }
    const response = await patch(url, 0, bytes)
    expect([response.status, await response.text()]).toEqual([415, sentence])
    expect((await fetch(url)).status).toBe(415)
    expect((await head(url)).status).toBe(415)
    expect(await readdir(path.join(service.dataDir, 'files'))).toEqual([])
    await until(async () => (await stat(path.join(service.dataDir, 'incoming', idOf(url)))).blocks === 0)
  })

  it('are refused before the rest arrives', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const url = await createUpload(service.url, 100_000_000, { filename: 'photo.jpg' })
    const wire = await connect(service.url)
    const fields = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': 100_000_000 }
    await wire.send(requestHead('PATCH', new URL(url).pathname, fields), program(5_000))
    expect((await wire.answer()).status).toBe(415)
    await wire.cut()
  })

  it('are refused when they arrive with the creation, which leaves nothing', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const headers = { 'Upload-Length': '100', 'Content-Type': 'application/offset+octet-stream', ...named('photo.jpg') }
    const response = await create(service.url, headers, program(100))
    expect(response.status).toBe(415)
    expect(await uploads()).toBe(0)
  })

  it('are refused when the length becomes known only at the end', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const made = await create(service.url, { 'Upload-Defer-Length': '1', ...named('photo.jpg') })
    const url = locationOf(made, service.url)
    expect((await patch(url, 0, program(50))).status).toBe(204)
    const last = await fetch(url, {
      method: 'PATCH',
      headers: { ...PATCH_HEADERS, 'Upload-Offset': '50', 'Upload-Length': '50' },
    })
    expect(last.status).toBe(415)
    expect(await readdir(path.join(service.dataDir, 'files'))).toEqual([])
  })

  it('are those of the first part of a final upload', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const made = await create(service.url, { 'Upload-Length': '6000', 'Upload-Concat': 'partial' })
    const part = locationOf(made, service.url)
    expect((await patch(part, 0, program(6_000))).status).toBe(204)
    const final = await create(service.url, { 'Upload-Concat': `final;${part}`, ...named('photo.jpg') })
    expect([final.status, await final.text()]).toEqual([415, 'The content of this file is not of the type .jpg.\n'])
    expect(await readdir(path.join(service.dataDir, 'files'))).toEqual([])
  })

  it('are refused by the draft', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const response = await draftCreate(service.url, true, program(6_000), {
      'Content-Disposition': 'attachment; filename="photo.jpg"',
    })
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({ code: 'type_not_allowed' })
  })

  it('are refused to a legacy page in whatever order its chunks arrive, and it cannot begin anew', async () => {
    service = await startService({ ALLOWED_TYPES: '.jpg' })
    const file = cut(program(15_000), 5_000, { name: 'photo.jpg', task_id: 'task-of-a-page' })
    expect((await sendChunk(service.url, file.fields(2), file.bytes(2))).status).toBe(200)
    for (const chunk of [0, 0, 1]) {
      const response = await sendChunk(service.url, file.fields(chunk), file.bytes(chunk))
      expect(response.status).toBe(415)
      expect(await response.json()).toMatchObject({
        error: { message: 'The content of this file is not of the type .jpg.' },
      })
    }
    const answer = await complete(service.url, { task_id: 'task-of-a-page', filename: 'photo.jpg' })
    expect(answer.status).toBe(415)
    expect(await uploads()).toBe(1)
  })
})

describe('Credentials with types', () => {
  const secret = 'a secret of the application, long enough'
  const bearer = async (types: readonly string[]): Promise<Readonly<Record<string, string>>> => {
    const token = await new SignJWT({ landfall: { types } })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('somebody')
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(secret))
    return { Authorization: `Bearer ${token}` }
  }

  it('narrow the types of the service, and never widen them', async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET: secret, ALLOWED_TYPES: '.png,.txt' })
    const credentials = await bearer(['image/*', '.exe'])
    for (const [name, status] of [
      ['a.png', 201],
      ['a.txt', 415],
      ['a.exe', 415],
      ['a.jpg', 415],
    ] as const) {
      const response = await create(service.url, { 'Upload-Length': '5', ...named(name), ...credentials })
      expect([name, response.status]).toEqual([name, status])
    }
  })

  it('let the content be checked, also if the service accepts all types, and after a restart', async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET: secret })
    const credentials = await bearer(['.png'])
    const made = await create(service.url, { 'Upload-Length': '6000', ...named('a.png'), ...credentials })
    expect(made.status).toBe(201)
    service = await service.restart()
    const response = await fetch(service.url + new URL(locationOf(made, service.url)).pathname, {
      method: 'PATCH',
      headers: { ...PATCH_HEADERS, 'Upload-Offset': '0', ...credentials },
      body: program(6_000),
    })
    expect(response.status).toBe(415)
  })
})
