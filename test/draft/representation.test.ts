import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import {
  append,
  create,
  createUpload,
  DRAFT,
  expectComplete,
  type Headers,
  metadataOf,
  PARTIAL,
  stateOf,
} from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectSentence } from '../support/stored-uploads.ts'
import { idOf, locationOf } from '../support/tus.ts'
import { codedPiece, connect, requestHead } from '../support/wire.ts'

const content = bytesOf(1000)
let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

/** Uploads a whole file with these headers. @returns its URL. */
async function upload(headers: Headers): Promise<string> {
  const response = await create(service.url, true, content, headers)
  expectComplete(response)
  return locationOf(response, service.url)
}

/** The name of the file on disk. */
async function nameOnDisk(url: string): Promise<string | undefined> {
  return (await readdir(path.join(service.dataDir, 'files', idOf(url))))[0]
}

describe('Content-Disposition of a creation', () => {
  it.each([
    ['inline; filename="file name.jpg"', 'file name.jpg'],
    ['inline; filename=plain.jpg', 'plain.jpg'],
    [`inline; filename="other.jpg"; filename*=UTF-8''na%C3%AFve%20%E4%BD%A0%E5%A5%BD.jpg`, 'naïve 你好.jpg'],
    [`attachment; filename*=ISO-8859-1''caf%E9.txt`, 'café.txt'],
  ])('names the file: %s', async (disposition, name) => {
    const url = await upload({ 'Content-Disposition': disposition })
    expect(await nameOnDisk(url)).toBe(name)
    const sent = (await fetch(url)).headers.get('Content-Disposition') ?? ''
    expect(sent.includes(name) || sent.includes(`UTF-8''${encodeURIComponent(name)}`)).toBe(true)
    expect(await metadataOf(url)).toMatchObject({ filename: name })
    await expectFile(service, url, content)
  })

  it.each(['inline', ';;;', 'inline; filename', 'inline; filename="', `inline; filename*=UTF-8''%ff%`, '"'])(
    'is ignored if it names no file, or is malformed: %s',
    async (disposition) => {
      await expectFile(service, await upload({ 'Content-Disposition': disposition }), content)
    },
  )

  it.each(['../../etc/passwd', '/etc/passwd', '..', '.', 'a/../../b', '..\\..\\x'])(
    'cannot name a path out of its folder: %s',
    async (name) => {
      const url = await upload({ 'Content-Disposition': `inline; filename="${name}"` })
      expect(await nameOnDisk(url)).not.toMatch(/[/\\]|^\.+$/)
      await expectFile(service, url, content)
    },
  )
})

describe('Content-Type of a creation', () => {
  it('is that of the download', async () => {
    const url = await upload({ 'Content-Type': 'Image/PNG; a=b' })
    expect((await fetch(`${url}?inline=1`)).headers.get('Content-Type')).toBe('image/png')
    expect(await metadataOf(url)).toMatchObject({ filetype: 'image/png' })
  })

  it('is ignored if it labels a part of the representation', async () => {
    const url = await upload({ 'Content-Type': PARTIAL })
    expect((await fetch(url)).headers.get('Content-Type')).not.toContain('partial')
  })

  it('is overridden by Upload-Metadata, which tus-js-client sends', async () => {
    const metadata = `filename ${Buffer.from('b.txt').toString('base64')},filetype ${Buffer.from('text/plain').toString('base64')}`
    const url = await upload({
      'Content-Type': 'image/png',
      'Content-Disposition': 'inline; filename="a.png"',
      'Upload-Metadata': metadata,
    })
    expect(await nameOnDisk(url)).toBe('b.txt')
    expect((await fetch(url)).headers.get('Content-Type')).toContain('text/plain')
  })

  it('is unaffected by malformed elements of Upload-Metadata', async () => {
    const metadata = `a b c, filename ${Buffer.from('b.txt').toString('base64')} ,,`
    expect(await nameOnDisk(await upload({ 'Upload-Metadata': metadata }))).toBe('b.txt')
  })
})

describe('A coded body', () => {
  it.each(['gzip', 'gzip, identity', 'br'])('is refused in a creation: Content-Encoding: %s', async (coding) => {
    const response = await create(service.url, true, gzipSync(content), { 'Content-Encoding': coding })
    expect(response.status).toBe(415)
    expect(response.headers.get('Upload-Complete')).toBe('?0')
    expectSentence(JSON.parse(await response.text()).detail, service)
  })

  it('is accepted if its coding is identity', async () => {
    await expectFile(service, await upload({ 'Content-Encoding': 'Identity' }), content)
  })

  it('is refused in an append', async () => {
    const url = await createUpload(service.url)
    const response = await append(url, 0, true, gzipSync(content), { 'Content-Encoding': 'gzip' })
    expect(response.status).toBe(415)
    expect(await stateOf(url)).toEqual(['0', '?0'])
  })

  it('is refused if its transfer coding is not chunked', async () => {
    const wire = await connect(service.url)
    const fields = { ...DRAFT, 'Upload-Complete': '?1', 'Transfer-Encoding': 'gzip, chunked' }
    await wire.send(requestHead('POST', '/files', fields), codedPiece(gzipSync(content)), codedPiece(Buffer.alloc(0)))
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBe(415)
  })
})

describe('A digest of the representation', () => {
  it.each(['sha-256=:AAAA:', 'sha-512=:AAAA:'])('is refused if it is malformed: %s', async (digest) => {
    expect((await create(service.url, true, content, { 'Repr-Digest': digest })).status).toBe(400)
  })

  it.each(['sha-256="text"', 'sha-256', '!', 'unheard-of=:AAAA:'])(
    'is ignored if its algorithm is unknown: %s',
    async (digest) => {
      await expectFile(service, await upload({ 'Repr-Digest': digest }), content)
    },
  )
})
