import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { create, head, idOf, locationOf, patch } from '../support/tus.ts'

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const NAME = `filename ${base64('a.bin')}`

/** @returns the name of a stored file with this Upload-Metadata. Expects HEAD to return the header as sent. */
async function nameFor(metadata: string): Promise<string | undefined> {
  const response = await create(service.url, { 'Upload-Length': '5', 'Upload-Metadata': metadata })
  expect(response.status).toBe(201)
  const url = locationOf(response, service.url)
  expect((await head(url)).headers.get('Upload-Metadata')).toBe(metadata)
  expect((await patch(url, 0, bytesOf(5))).status).toBe(204)
  expect((await head(url)).headers.get('Upload-Metadata')).toBe(metadata)
  return (await readdir(path.join(service.dataDir, 'files', idOf(url))))[0]
}

describe('Upload-Metadata', () => {
  it.each([
    ['a space before a comma', `${NAME} ,x`],
    ['a tab around a comma', `x\t,\t${NAME}`],
    ['empty elements', `,,${NAME},, ,x`],
    ['a trailing comma', `${NAME},`],
    ['several spaces after the key', NAME.replace(' ', '   ')],
    ['a tab after the key', NAME.replace(' ', '\t')],
    ['a value without padding', `filename ${base64('a.bin').replace(/=+$/, '')},x`],
    ['a key that every object inherits', `constructor ${base64('x')},toString,hasOwnProperty ${base64('y')},${NAME}`],
    ['the key __proto__', `__proto__ ${base64('{"filename":"x"}')},${NAME}`],
    ['a key twice, of which the last wins', `filename ${base64('b.bin')},${NAME}`],
    ['a key that is not ASCII', `\u00fc ${base64('x')},${NAME}`],
    ['a value that is not base64', `x !!!,${NAME}`],
    ['a value in the alphabet of URLs', `x a-b_,${NAME}`],
    ['more than one value', `x eA== eA==,${NAME}`],
  ])('may have %s', async (_, metadata) => {
    expect(await nameFor(metadata)).toBe('a.bin')
  })

  it.each([',', ' ,', 'filename !!!', 'filename', 'filename Y', '__proto__ eA=='])(
    'names no file if no element does: %j',
    async (metadata) => {
      const response = await create(service.url, { 'Upload-Length': '0', 'Upload-Metadata': metadata })
      expect(response.status).toBe(201)
      const url = locationOf(response, service.url)
      expect((await head(url)).headers.get('Upload-Metadata')).toBe(metadata.trim())
      expect(await readdir(path.join(service.dataDir, 'files', idOf(url)))).toEqual(['file'])
    },
  )

  it('is returned as sent, also after a restart', async () => {
    const metadata = `__proto__ ${base64('x')} ,constructor,,${NAME},`
    const url = locationOf(
      await create(service.url, { 'Upload-Length': '5', 'Upload-Metadata': metadata }),
      service.url,
    )
    service = await service.restart()
    const again = `${service.url}/files/${idOf(url)}`
    expect((await head(again)).headers.get('Upload-Metadata')).toBe(metadata)
    expect((await patch(again, 0, bytesOf(5))).status).toBe(204)
    expect(await readdir(path.join(service.dataDir, 'files', idOf(url)))).toEqual(['a.bin'])
  })

  it('affects only its own upload', async () => {
    await nameFor(`__proto__ ${base64('polluted')},${NAME}`)
    expect(Reflect.ownKeys(Object.prototype)).not.toContain('polluted')
    expect(Object.keys(Object.prototype)).toEqual([])
    const other = await create(service.url, { 'Upload-Length': '0' })
    expect((await head(locationOf(other, service.url))).headers.has('Upload-Metadata')).toBe(false)
  })
})
