/** Expectations about uploads, and about the content of the data directory. */
import { access, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@jest/globals'
import { isInBucket } from './bucket-settings.ts'
import type { TestService } from './service.ts'
import { idOf, offsetOf, patch } from './tus.ts'

/** Expects the upload to have the first `offset` bytes of `content`, to resume there, and to become the file. */
export async function expectToResume(service: TestService, url: string, content: Buffer<ArrayBuffer>, offset: number) {
  expect(await offsetOf(url)).toBe(offset)
  if (offset < content.length) {
    if (!isInBucket) {
      const stored = await readFile(path.join(service.dataDir, 'incoming', idOf(url)))
      expect(stored.equals(content.subarray(0, offset))).toBe(true)
    }
    const response = await patch(url, offset, content.subarray(offset))
    expect(response.status).toBe(204)
    expect(response.headers.get('Upload-Offset')).toBe(String(content.length))
  }
  await expectFile(service, url, content)
}

/** Expects a finished upload: its bytes can be downloaded, and are stored as a file. */
export async function expectFile(service: TestService, url: string, content: Buffer) {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
  if (isInBucket) return
  const folder = path.join(service.dataDir, 'files', idOf(url))
  const [name = ''] = await readdir(folder)
  expect((await readFile(path.join(folder, name))).equals(content)).toBe(true)
}

/** Expects nothing of the upload on disk. */
export async function expectNoBytes(service: TestService, url: string) {
  if (isInBucket) return
  for (const folder of ['incoming', 'files', 'journals']) {
    await expect(access(path.join(service.dataDir, folder, idOf(url)))).rejects.toMatchObject({ code: 'ENOENT' })
  }
}

/** How many uploads have bytes in the data directory, finished or not. */
export async function countUploads(service: TestService): Promise<number> {
  const [incoming, files] = await Promise.all(
    ['incoming', 'files'].map((name) => readdir(path.join(service.dataDir, name))),
  )
  return (incoming?.length ?? 0) + (files?.length ?? 0)
}

/** Expects a sentence for the client, without internals of the service. */
export function expectSentence(text: string, service: TestService) {
  expect(text).toMatch(/^[A-Z].*\.\n?$/)
  expect(text).not.toContain(service.dataDir)
  expect(text).not.toMatch(/\bat .*:\d+|node_modules|\.ts\b|ENOENT|EEXIST|Error:/)
}

/** The size of the file of an unfinished upload, in bytes. */
export async function bytesOnDisk(service: TestService, url: string): Promise<number> {
  return (await stat(path.join(service.dataDir, 'incoming', idOf(url)))).size
}
