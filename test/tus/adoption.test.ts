import { once } from 'node:events'
import fs, { readdir, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import type { Landfall } from '../../server/landfall.ts'
import { openProgram } from '../../server/program.ts'
import { parseSettings } from '../../server/read-settings.ts'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import type { TestService } from '../support/service.ts'
import { expectFile, expectToResume } from '../support/stored-uploads.ts'
import { create, createUpload, head, idOf, locationOf, PATCH_HEADERS, patch, patchWith } from '../support/tus.ts'

describe('A directory that plain @tus/server wrote', () => {
  const content = bytesOf(100_000)
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let service: Landfall | undefined
  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(async () => {
    await service?.close()
    await folder.dispose()
  })

  /** Uploads through @tus/server, which is stopped afterwards. */
  async function before<T>(work: (base: string) => Promise<T>): Promise<T> {
    const tus = new Server({ path: '/files', datastore: new FileStore({ directory: folder.path }) })
    const server = tus.listen({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    try {
      return await work(`http://127.0.0.1:${port}`)
    } finally {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  /** Starts Landfall on the directory. */
  async function adopt(): Promise<Pick<TestService, 'url' | 'dataDir'> & TestService> {
    const texts: Record<string, string> = { PORT: '0', LOG_LEVEL: 'silent', DRAIN: '1', DATA_DIR: folder.path }
    const running = await openProgram(parseSettings(texts))
    service = running
    return { url: await running.listen(), dataDir: folder.path, restart: adopt, close: () => running.close() }
  }

  it('has unfinished uploads that resume at their offset, with their metadata', async () => {
    const { id, metadata } = await before(async (base) => {
      const url = await createUpload(base, content.length, { filename: '测试 文件.txt', filetype: 'text/plain' })
      expect((await patch(url, 0, content.subarray(0, 34_567))).status).toBe(204)
      return { id: idOf(url), metadata: (await head(url)).headers.get('Upload-Metadata') }
    })
    const running = await adopt()
    const url = `${running.url}/files/${id}`
    const reported = await head(url)
    expect(reported.status).toBe(200)
    expect(reported.headers.get('Upload-Length')).toBe('100000')
    expect(reported.headers.get('Upload-Metadata')).toBe(metadata)
    expect((await fetch(url)).status).toBe(404)
    await expectToResume(running, url, content, 34_567)
    expect(await readdir(path.join(folder.path, 'files', id))).toEqual(['测试 文件.txt'])
  })

  it('has finished files that are downloaded under their names', async () => {
    const id = await before(async (base) => {
      const url = await createUpload(base, content.length, { filename: '测试 文件.txt', filetype: 'text/plain' })
      expect((await patch(url, 0, content)).status).toBe(204)
      return idOf(url)
    })
    const running = await adopt()
    const url = `${running.url}/files/${id}`
    await expectFile(running, url, content)
    const response = await fetch(url)
    expect(response.headers.get('Content-Disposition')).toContain(encodeURIComponent('测试 文件.txt'))
    expect((await head(url)).headers.get('Upload-Offset')).toBe('100000')
    expect(await readdir(path.join(folder.path, 'files', id))).toEqual(['测试 文件.txt'])
  })

  it('has uploads of deferred length that resume', async () => {
    const id = await before(async (base) => {
      const url = locationOf(await create(base, { 'Upload-Defer-Length': '1' }), base)
      expect((await patch(url, 0, content.subarray(0, 5000))).status).toBe(204)
      return idOf(url)
    })
    const running = await adopt()
    const url = `${running.url}/files/${id}`
    const reported = await head(url)
    expect(reported.headers.get('Upload-Offset')).toBe('5000')
    expect(reported.headers.get('Upload-Defer-Length')).toBe('1')
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '5000', 'Upload-Length': '100000' }
    expect((await patchWith(url, headers, content.subarray(5000))).status).toBe(204)
    await expectFile(running, url, content)
  })

  it('is adopted with an empty file and with an upload without bytes', async () => {
    const [empty, begun] = await before(async (base) => [
      idOf(await createUpload(base, 0, { filename: 'empty.txt' })),
      idOf(await createUpload(base, content.length)),
    ])
    const running = await adopt()
    await expectFile(running, `${running.url}/files/${empty}`, Buffer.alloc(0))
    await expectToResume(running, `${running.url}/files/${begun}`, content, 0)
  })

  it('is adopted with many uploads, which are found again after another start', async () => {
    const ids = await before(async (base) => {
      const urls = await Promise.all(Array.from({ length: 12 }, () => createUpload(base, content.length)))
      await Promise.all(urls.map((url, i) => patch(url, 0, content.subarray(0, i * 5000))))
      return urls.map(idOf)
    })
    await (await adopt()).close()
    const running = await adopt()
    for (const [i, id] of ids.entries()) {
      await expectToResume(running, `${running.url}/files/${id}`, content, i * 5000)
    }
    const left = (await readdir(folder.path)).filter((name) => ids.some((id) => name.startsWith(id)))
    expect(left).toEqual([])
  })

  it('is adopted although a description could not be read once', async () => {
    const id = await before(async (base) => {
      const url = await createUpload(base, content.length)
      await patch(url, 0, content.subarray(0, 5000))
      return idOf(url)
    })
    // Only the package reads through the default export.
    const noDescriptors = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    const read = jest.spyOn(fs, 'readFile').mockRejectedValueOnce(noDescriptors)
    const running = await adopt()
    expect(read).toHaveBeenCalledTimes(1)
    read.mockRestore()
    await expectToResume(running, `${running.url}/files/${id}`, content, 5000)
  })

  it('is adopted with a file of any size that is named like a description', async () => {
    const name = 'large.json'
    const size = 3 * 1024 ** 3
    const description = { id: name, size: size + 1, offset: 0, metadata: { filename: name } }
    await writeFile(path.join(folder.path, name), '')
    await truncate(path.join(folder.path, name), size)
    await writeFile(path.join(folder.path, `${name}.json`), JSON.stringify(description))
    const running = await adopt()
    const reported = await head(`${running.url}/files/${name}`)
    expect([reported.status, reported.headers.get('Upload-Offset')]).toEqual([200, String(size)])
  })
})
