/** What the tests of WebUploader's protocol do again and again. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@jest/globals'
import { z } from 'zod'
import type { TestService } from './service.ts'
import { BOUNDARY, type ChunkFields, fileFields, multipartBody, sendChunk } from './webuploader.ts'
import { requestHead, until } from './wire.ts'

export { bytesOf } from './tus-steps.ts'

export const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`

const accepted = z.object({
  ok: z.literal(true),
  id: z.string(),
  url: z.string(),
  size: z.number(),
  received: z.number(),
  finished: z.boolean(),
})
export type Accepted = z.infer<typeof accepted>

const refusal = z.object({ ok: z.literal(false), error: z.object({ code: z.string(), message: z.string() }) })

/** A file as a page cuts it. */
export interface Cut {
  readonly count: number
  readonly fields: (chunk: number) => ChunkFields
  readonly bytes: (chunk: number) => Buffer<ArrayBuffer>
}

/** Cuts a file as WebUploader does: a file of one block has no chunk fields. @param more fields in place of the usual ones. */
export function cut(content: Buffer<ArrayBuffer>, chunkSize: number, more: Partial<ChunkFields> = {}): Cut {
  const count = Math.ceil(content.length / chunkSize)
  const common = { ...fileFields('big.bin', content.length), ...more }
  return {
    count,
    fields: (chunk) => (count > 1 ? { ...common, chunks: count, chunk } : common),
    bytes: (chunk) => content.subarray(chunk * chunkSize, (chunk + 1) * chunkSize),
  }
}

/** Sends a chunk, which is accepted. */
export async function land(base: string, file: Cut, chunk: number): Promise<Accepted> {
  return expectAccepted(await sendChunk(base, file.fields(chunk), file.bytes(chunk)))
}

export async function landAll(base: string, file: Cut): Promise<Accepted> {
  let last = await land(base, file, 0)
  for (let chunk = 1; chunk < file.count; chunk++) last = await land(base, file, chunk)
  return last
}

export async function expectAccepted(response: Response): Promise<Accepted> {
  const text = await response.text()
  expect({ status: response.status, text }).toMatchObject({ status: 200 })
  expect(response.headers.get('Content-Type')).toMatch(/^application\/json/)
  return accepted.parse(JSON.parse(text))
}

/** The answer is a refusal in the agreed shape: one sentence, nothing of the inside. @returns the sentence. */
export async function expectRefusal(response: Response, status: number, code: string): Promise<string> {
  expect(response.headers.get('Content-Type')).toMatch(/^application\/json/)
  return expectRefusalText(response.status, await response.text(), status, code)
}

export function expectRefusalText(actual: number, text: string, status: number, code: string): string {
  expect({ status: actual, text }).toMatchObject({ status })
  const { error } = refusal.parse(JSON.parse(text))
  expect(error.code).toBe(code)
  expect(error.message).toMatch(/^[A-Z].*\.$/)
  expect(text).not.toMatch(/landfall-test-|\/tmp\/|node_modules|\bat .*:\d+|\.ts\b|ENOENT|Error:/)
  return error.message
}

/** The file is finished: its bytes come back, and lie in the folder of finished files under this name. */
export async function expectFile(service: TestService, { id, url }: Accepted, content: Buffer, name = 'big.bin') {
  const response = await fetch(new URL(url, service.url))
  expect(response.status).toBe(200)
  expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
  expect((await readFile(path.join(service.dataDir, 'files', id, name))).equals(content)).toBe(true)
}

/** Sends whatever is missing, by asking for it, and expects the whole file. */
export async function expectToFinish(service: TestService, file: Cut, content: Buffer, name = 'big.bin') {
  let last: Accepted | undefined
  for (let chunk = 0; chunk < file.count; chunk++) last = await land(service.url, file, chunk)
  expect(last).toMatchObject({ finished: true, received: content.length, size: content.length })
  if (last !== undefined) await expectFile(service, last, content, name)
}

/** The request of a chunk as it goes over the wire, head and body. */
export function rawChunk(file: Cut, chunk: number): { readonly head: string; readonly body: Buffer } {
  const body = multipartBody(file.fields(chunk), file.bytes(chunk))
  return {
    head: requestHead('POST', '/upload/accept', { 'Content-Type': MULTIPART, 'Content-Length': body.length }),
    body,
  }
}

/** A body that is not what `sendChunk` makes. */
export function post(base: string, body: string | Uint8Array<ArrayBuffer>, contentType = MULTIPART): Promise<Response> {
  return fetch(`${base}/upload/accept`, { method: 'POST', headers: { 'Content-Type': contentType }, body })
}

/** Waits until these bytes lie at this place of the file of an unfinished upload. */
export function onDisk(service: TestService, id: string, position: number, bytes: Buffer): Promise<void> {
  const file = path.join(service.dataDir, 'incoming', id)
  return until(async () => (await readFile(file)).subarray(position, position + bytes.length).equals(bytes))
}
