/** What the tests of tus do again and again. */
import { createCipheriv } from 'node:crypto'
import { access, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@jest/globals'
import type { TestService } from './service.ts'
import { head, patch, TUS } from './tus.ts'
import { requestHead, until, type Wire } from './wire.ts'

export const PATCH_HEADERS = { ...TUS, 'Content-Type': 'application/offset+octet-stream' } as const

type Body = string | Uint8Array<ArrayBuffer>

/** Bytes that look random and are the same each time. */
export function bytesOf(length: number, seed = 1): Buffer<ArrayBuffer> {
  return Buffer.from(
    createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length)),
  )
}

export function idOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1)
}

/** POST /files with these headers. */
export function create(base: string, headers: Readonly<Record<string, string>>, body?: Body): Promise<Response> {
  return fetch(`${base}/files`, {
    method: 'POST',
    headers: { ...TUS, ...headers },
    ...(body === undefined ? {} : { body }),
  })
}

/** The absolute URL that an answer names. */
export function locationOf(response: Response, base: string): string {
  return new URL(response.headers.get('Location') ?? '', base).href
}

/** PATCH with any headers and any body. */
export function patchWith(url: string, headers: Readonly<Record<string, string>>, body?: Body): Promise<Response> {
  return fetch(url, { method: 'PATCH', headers, ...(body === undefined ? {} : { body }) })
}

export async function offsetOf(url: string): Promise<number> {
  const response = await head(url)
  if (response.status !== 200) throw new Error(`HEAD: ${response.status}`)
  return Number(response.headers.get('Upload-Offset'))
}

/** The upload stands at `offset` with the first bytes of `content`, goes on from there, and becomes the file. */
export async function expectToGoOn(service: TestService, url: string, content: Buffer<ArrayBuffer>, offset: number) {
  expect(await offsetOf(url)).toBe(offset)
  if (offset < content.length) {
    const stored = await readFile(path.join(service.dataDir, 'incoming', idOf(url)))
    expect(stored.equals(content.subarray(0, offset))).toBe(true)
    const response = await patch(url, offset, content.subarray(offset))
    expect(response.status).toBe(204)
    expect(response.headers.get('Upload-Offset')).toBe(String(content.length))
  }
  await expectFile(service, url, content)
}

/** The upload is finished: its bytes come back, and lie in the folder of finished files. */
export async function expectFile(service: TestService, url: string, content: Buffer) {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
  const folder = path.join(service.dataDir, 'files', idOf(url))
  const [name = ''] = await readdir(folder)
  expect((await readFile(path.join(folder, name))).equals(content)).toBe(true)
}

/** Nothing of the upload is on the disk any more. */
export async function expectNoBytes(service: TestService, url: string) {
  for (const folder of ['incoming', 'files', 'journals']) {
    await expect(access(path.join(service.dataDir, folder, idOf(url)))).rejects.toMatchObject({ code: 'ENOENT' })
  }
}

/** How many uploads have bytes in the data folder, finished or not. */
export async function countUploads(service: TestService): Promise<number> {
  const [incoming, files] = await Promise.all(
    ['incoming', 'files'].map((name) => readdir(path.join(service.dataDir, name))),
  )
  return (incoming?.length ?? 0) + (files?.length ?? 0)
}

/** A sentence for the client and nothing of the inside of the service. */
export function expectSentence(text: string, service: TestService) {
  expect(text).toMatch(/^[A-Z].*\.\n?$/)
  expect(text).not.toContain(service.dataDir)
  expect(text).not.toMatch(/\bat .*:\d+|node_modules|\.ts\b|ENOENT|EEXIST|Error:/)
}

/** Begins a PATCH over a raw connection and sends the first bytes of its body. */
export async function beginPatch(wire: Wire, url: string, offset: number, announced: number, first: Uint8Array) {
  const { pathname } = new URL(url)
  await wire.send(
    requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': offset, 'Content-Length': announced }),
    first,
  )
}

/** Waits until the service tells this offset. */
export function reached(url: string, offset: number): Promise<void> {
  return until(async () => (await offsetOf(url)) === offset)
}

/** How many bytes lie in the file of an unfinished upload. */
export async function bytesOnDisk(service: TestService, url: string): Promise<number> {
  return (await stat(path.join(service.dataDir, 'incoming', idOf(url)))).size
}
