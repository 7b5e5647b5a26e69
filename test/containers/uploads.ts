import http from 'node:http'
import https from 'node:https'
import { Upload } from 'tus-js-client'
import { head, TUS } from '../support/tus.ts'
import { complete, fileFields, sendChunk } from '../support/webuploader.ts'

export const MIB = 1024 * 1024

/** Bytes that differ at every position, the same in every run. */
export function sampleBytes(size: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at)
  return bytes
}

/** The content at a URL. */
export async function downloaded(url: string): Promise<Buffer> {
  const answer = await fetch(url)
  if (answer.status !== 200) throw new Error(`GET ${url}: ${answer.status} ${await answer.text()}`)
  return Buffer.from(await answer.arrayBuffer())
}

/** The result of tus-js-client. */
export interface ClientUpload {
  readonly url: string
  /** How many uploads it created: more than one means that it restarted. */
  readonly urls: number
  /** How many of its requests failed. */
  readonly failures: number
}

/**
 * Uploads by tus-js-client, which resumes by itself when the service returns.
 *
 * @param halfway called once, when half of the bytes were acknowledged; no request is sent until it has returned.
 */
export function uploadByTusClient(
  base: string,
  bytes: Buffer,
  halfway: () => Promise<void> = async () => undefined,
): Promise<ClientUpload> {
  const urls = new Set<string>()
  let failures = 0
  let pause: Promise<void> | undefined
  return new Promise((resolve, reject) => {
    const upload = new Upload(bytes, {
      endpoint: `${base}/files`,
      chunkSize: 2 * MIB,
      retryDelays: Array.from({ length: 100 }, () => 300),
      metadata: { filename: 'by tus 文件.bin' },
      onUploadUrlAvailable: () => urls.add(upload.url ?? ''),
      onChunkComplete: (_, accepted, total) => {
        if (accepted >= total / 2) pause ??= halfway()
      },
      onBeforeRequest: () => pause,
      onShouldRetry: () => {
        failures++
        return true
      },
      onSuccess: () => resolve({ url: upload.url ?? '', urls: urls.size, failures }),
      onError: reject,
    })
    upload.start()
  })
}

/** Sends some chunks of 1 MiB as WebUploader does. @returns the URL of the upload. @throws Error if one is refused. */
export async function sendChunks(
  base: string,
  bytes: Buffer<ArrayBuffer>,
  taskId: string,
  which: readonly number[],
): Promise<string> {
  const fields = fileFields('by webuploader.bin', bytes.length, taskId)
  const chunks = Math.ceil(bytes.length / MIB)
  let url = ''
  for (const chunk of which) {
    const answer = await sendChunk(base, { ...fields, chunks, chunk }, bytes.subarray(chunk * MIB, (chunk + 1) * MIB))
    if (answer.status !== 200) throw new Error(`chunk ${chunk}: ${answer.status} ${await answer.text()}`)
    url = new URL(JSON.parse(await answer.text()).url, base).href
  }
  return url
}

/** The response of `/upload/complete` for such an upload. */
export async function completed(base: string, taskId: string): Promise<{ status: number; body: string }> {
  const answer = await complete(base, { task_id: taskId, filename: 'by webuploader.bin' })
  return { status: answer.status, body: await answer.text() }
}

/** A PATCH whose body never ends. @returns when the service has reported `bytes`; `abandon` closes the connection. */
export async function patchThatHangs(url: string, bytes: Buffer, length: number): Promise<{ abandon(): void }> {
  const request = (url.startsWith('https:') ? https : http).request(url, {
    method: 'PATCH',
    headers: {
      ...TUS,
      'Upload-Offset': '0',
      'Content-Type': 'application/offset+octet-stream',
      'Content-Length': String(length),
    },
  })
  // The container may be killed meanwhile.
  request.on('error', () => undefined)
  request.write(bytes)
  while ((await offsetOf(url)) < bytes.length) await new Promise((resolve) => setTimeout(resolve, 20))
  return { abandon: () => request.destroy() }
}

/** The offset that HEAD returns. */
export async function offsetOf(url: string): Promise<number> {
  const answer = await head(url)
  if (answer.status !== 200) throw new Error(`HEAD ${url}: ${answer.status}`)
  return Number(answer.headers.get('Upload-Offset'))
}
