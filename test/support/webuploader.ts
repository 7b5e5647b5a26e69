/** Requests as WebUploader sends them. */

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
}

const ORDER = ['task_id', 'id', 'name', 'type', 'lastModifiedDate', 'size', 'chunks', 'chunk', 'landfall_file'] as const

/** What every request of one file has, chunk fields apart. */
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

/** The multipart body of one chunk: fields in WebUploader's order, then the file. */
export function multipartBody(fields: ChunkFields, bytes: Uint8Array, fileName = 'file.bin'): Buffer<ArrayBuffer> {
  const parts = ORDER.filter((name) => fields[name] !== undefined).map(
    (name) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${fields[name]}\r\n`,
  )
  const file = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${fileName}"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return Buffer.concat([Buffer.from(parts.join('') + file), bytes, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)])
}

/** Sends one chunk to `/upload/accept`. */
export function sendChunk(base: string, fields: ChunkFields, bytes: Uint8Array): Promise<Response> {
  return fetch(`${base}/upload/accept`, {
    method: 'POST',
    headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: multipartBody(fields, bytes),
  })
}

/** Asks `/upload/complete`. */
export function complete(base: string, query: Readonly<Record<string, string>>, cookie = ''): Promise<Response> {
  return fetch(`${base}/upload/complete?${new URLSearchParams(query)}`, { headers: { Cookie: cookie } })
}
