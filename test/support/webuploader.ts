/** Requests as WebUploader sends them. */
import { requestHead } from './wire.ts'

export interface ChunkFields {
  readonly task_id?: string
  readonly id?: string
  readonly name?: string
  readonly type?: string
  readonly lastModifiedDate?: string
  readonly size: number | string
  readonly chunks?: number | string
  readonly chunk?: number | string
  readonly landfall_file?: string
  readonly landfall_task?: string
}

const ORDER = [
  ...(['task_id', 'id', 'name', 'type', 'lastModifiedDate', 'size', 'chunks', 'chunk'] as const),
  ...(['landfall_file', 'landfall_task'] as const),
]

/** The fields of every request of one file, apart from the chunk fields. */
export function fileFields(name: string, size: number, taskId = 'wu_1k83m941f1a21krp1sa2ofak9t0'): ChunkFields {
  return {
    task_id: taskId,
    id: 'WU_FILE_0',
    name,
    type: 'application/octet-stream',
    lastModifiedDate: 'Mon Nov 23 2026 07:35:14 GMT+0000 (Coordinated Universal Time)',
    size,
  }
}

export const BOUNDARY = '----WebKitFormBoundaryAAvXK93tAuAgYQaK'
export const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`
/** The end of a multipart body. */
export const CLOSING = `--${BOUNDARY}--\r\n`

/** A file in chunks, as a page cuts it. */
export interface Cut {
  readonly content: Buffer<ArrayBuffer>
  readonly count: number
  /** The fields of the file, which every chunk has. */
  readonly common: ChunkFields
  readonly fields: (chunk: number) => ChunkFields
  readonly bytes: (chunk: number) => Buffer<ArrayBuffer>
}

/**
 * Cuts a file as WebUploader does: a file of one block has no chunk fields.
 *
 * @param more fields instead of the usual ones.
 */
export function cut(content: Buffer<ArrayBuffer>, chunkSize: number, more: Partial<ChunkFields> = {}): Cut {
  const count = Math.max(1, Math.ceil(content.length / chunkSize))
  const common = { ...fileFields('big.bin', content.length), ...more }
  return {
    content,
    count,
    common,
    fields: (chunk) => (count > 1 ? { ...common, chunks: count, chunk } : common),
    bytes: (chunk) => content.subarray(chunk * chunkSize, (chunk + 1) * chunkSize),
  }
}

/** A field in a multipart body. */
export function fieldPart(name: string, value: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
}

/** The file in a multipart body. */
export function filePart(bytes: Uint8Array | string, fileName = 'file.bin'): Buffer<ArrayBuffer> {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${fileName}"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from('\r\n')])
}

/** The multipart body of one chunk: fields in WebUploader's order, then the file. */
export function multipartBody(fields: ChunkFields, bytes: Uint8Array, fileName = 'file.bin'): Buffer<ArrayBuffer> {
  const parts = ORDER.filter((name) => fields[name] !== undefined).map((name) => fieldPart(name, `${fields[name]}`))
  return Buffer.concat([Buffer.from(parts.join('')), filePart(bytes, fileName), Buffer.from(CLOSING)])
}

/** Sends one chunk to `/upload/accept`. */
export function sendChunk(base: string, fields: ChunkFields, bytes: Uint8Array): Promise<Response> {
  return post(base, multipartBody(fields, bytes))
}

/** Like `sendChunk`. Like WebUploader, it repeats a chunk whose offset was unknown until it had arrived. */
export async function sendPlacedChunk(base: string, fields: ChunkFields, bytes: Uint8Array): Promise<Response> {
  const first = await sendChunk(base, fields, bytes)
  return first.status === 409 ? sendChunk(base, fields, bytes) : first
}

type Bytes = string | Uint8Array

/** Posts any body to `/upload/accept`. */
export function post(
  base: string,
  body: Bytes | readonly Bytes[],
  contentType = MULTIPART,
  query = '',
): Promise<Response> {
  return fetch(`${base}/upload/accept${query}`, {
    method: 'POST',
    headers: { 'Content-Type': contentType },
    body: Buffer.concat([body].flat().map((part) => Buffer.from(part))),
  })
}

/** The request of a chunk, head and body, as sent. */
export function rawChunk(file: Cut, chunk: number): { readonly head: string; readonly body: Buffer } {
  const body = multipartBody(file.fields(chunk), file.bytes(chunk))
  return {
    head: requestHead('POST', '/upload/accept', { 'Content-Type': MULTIPART, 'Content-Length': body.length }),
    body,
  }
}

/** The request of a chunk with `sendAsBinary`: the fields are in the query, and the body is the chunk. */
export function bareChunk(file: Cut, chunk: number): { readonly head: string; readonly body: Buffer } {
  const body = file.bytes(chunk)
  const query = new URLSearchParams(Object.entries(file.fields(chunk)).map(([name, value]) => [name, String(value)]))
  return { head: requestHead('POST', `/upload/accept?${query}`, { 'Content-Length': body.length }), body }
}

/** Requests `/upload/complete`. */
export function complete(base: string, query: Readonly<Record<string, string>>, cookie = ''): Promise<Response> {
  return fetch(`${base}/upload/complete?${new URLSearchParams(query)}`, { headers: { Cookie: cookie } })
}
