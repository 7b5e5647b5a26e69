/** Expectations about the responses to WebUploader's requests, and about the resulting files. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@jest/globals'
import { z } from 'zod'
import { isInBucket } from './bucket-settings.ts'
import type { TestService } from './service.ts'
import { type Cut, complete, sendChunk } from './webuploader.ts'
import { until } from './wire.ts'

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

/** Expects a refusal in the agreed format: one sentence, no internals. @returns the sentence. */
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

/** Expects a finished file: its bytes can be downloaded, and are stored under this name. */
export async function expectFile(service: TestService, { id, url }: Accepted, content: Buffer, name = 'big.bin') {
  const response = await fetch(new URL(url, service.url))
  expect(response.status).toBe(200)
  expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
  if (isInBucket) return
  expect((await readFile(path.join(service.dataDir, 'files', id, name))).equals(content)).toBe(true)
}

/** The responses of `/upload/accept` and `/upload/complete`, as far as tests use them. */
export interface LegacyAnswer {
  readonly ok: boolean
  readonly id?: string
  readonly url?: string
  readonly received?: number
  readonly finished?: boolean
  readonly missing?: readonly number[]
  readonly missing_total?: number
  readonly error?: { readonly code: string; readonly message: string }
}

export async function answerOf(response: Response): Promise<LegacyAnswer> {
  return JSON.parse(await response.text())
}

/**
 * Asserts that complete returns 200 and that the stored file equals the sent one.
 *
 * @returns the response to its sender.
 */
export async function expectWhole(service: TestService, file: Cut): Promise<Accepted> {
  const query = { task_id: String(file.common.task_id), filename: String(file.common.name) }
  const response = await complete(service.url, query)
  const size = file.content.length
  expect([response.status, await answerOf(response)]).toEqual([200, expect.objectContaining({ ok: true, size })])
  const answer = await land(service.url, file, 0)
  expect(answer.finished).toBe(true)
  const download = await fetch(`${service.url}${answer.url}`)
  expect(Buffer.from(await download.arrayBuffer()).equals(file.content)).toBe(true)
  return answer
}

/** The finished file on disk. */
export function finishedFile(service: TestService, id: string, name: string): Promise<Buffer> {
  return readFile(path.join(service.dataDir, 'files', id, name))
}

/** Sends every chunk again, and expects the whole file. */
export async function expectToFinish(service: TestService, file: Cut, content: Buffer, name = 'big.bin') {
  let last: Accepted | undefined
  for (let chunk = 0; chunk < file.count; chunk++) last = await land(service.url, file, chunk)
  expect(last).toMatchObject({ finished: true, received: content.length, size: content.length })
  if (last !== undefined) await expectFile(service, last, content, name)
}

/** Waits until the file of an unfinished upload has these bytes at this position. */
export function untilOnDisk(service: TestService, id: string, position: number, bytes: Buffer): Promise<void> {
  const file = path.join(service.dataDir, 'incoming', id)
  return until(async () => (await readFile(file)).subarray(position, position + bytes.length).equals(bytes))
}
