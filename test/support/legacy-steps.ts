import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@jest/globals'
import type { TestService } from './service.ts'
import { BOUNDARY, type ChunkFields, complete, fileFields, sendChunk } from './webuploader.ts'

/** What `/upload/accept` and `/upload/complete` answer, as far as tests look at it. */
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

/** A file cut into chunks as WebUploader cuts it. */
export interface CutFile {
  readonly bytes: Buffer<ArrayBuffer>
  readonly fields: ChunkFields
  readonly count: number
  fieldsOf(chunk: number): ChunkFields
  bytesOf(chunk: number): Buffer<ArrayBuffer>
}

export function cut(bytes: Buffer<ArrayBuffer>, chunkSize: number, name = 'file.bin', taskId?: string): CutFile {
  const count = Math.max(1, Math.ceil(bytes.length / chunkSize))
  const fields = fileFields(name, bytes.length, taskId)
  return {
    bytes,
    fields,
    count,
    fieldsOf: (chunk) => (count === 1 ? fields : { ...fields, chunks: count, chunk }),
    bytesOf: (chunk) => bytes.subarray(chunk * chunkSize, (chunk + 1) * chunkSize),
  }
}

export async function send(service: TestService, file: CutFile, chunk: number): Promise<LegacyAnswer> {
  const response = await sendChunk(service.url, file.fieldsOf(chunk), file.bytesOf(chunk))
  const answer = await answerOf(response)
  expect([response.status, answer]).toEqual([200, expect.objectContaining({ ok: true })])
  return answer
}

/** Asserts that complete returns 200 and that the stored file equals the sent one. @returns the response to its sender. */
export async function expectWhole(service: TestService, file: CutFile): Promise<LegacyAnswer> {
  const query = { task_id: String(file.fields.task_id), filename: String(file.fields.name) }
  const response = await complete(service.url, query)
  const completed = await answerOf(response)
  expect([response.status, completed]).toEqual([200, expect.objectContaining({ ok: true, size: file.bytes.length })])
  const answer = await send(service, file, 0)
  expect(answer.finished).toBe(true)
  const download = await fetch(`${service.url}${answer.url}`)
  expect(Buffer.from(await download.arrayBuffer()).equals(file.bytes)).toBe(true)
  return answer
}

/** The finished file as it lies on the disk. */
export function onDisk(service: TestService, id: string | undefined, name: string): Promise<Buffer> {
  return readFile(path.join(service.dataDir, 'files', String(id), name))
}

/** A part of a multipart body. */
export function fieldPart(name: string, value: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
}

export function filePart(bytes: Uint8Array | string, fileName = 'file.bin'): Buffer<ArrayBuffer> {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${fileName}"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from('\r\n')])
}

export const CLOSING = `--${BOUNDARY}--\r\n`

/** Posts any body to `/upload/accept`. */
export function post(
  service: TestService,
  parts: readonly (string | Uint8Array)[],
  contentType = `multipart/form-data; boundary=${BOUNDARY}`,
  query = '',
): Promise<Response> {
  return fetch(`${service.url}/upload/accept${query}`, {
    method: 'POST',
    headers: { 'Content-Type': contentType },
    body: Buffer.concat(parts.map((part) => Buffer.from(part))),
  })
}
