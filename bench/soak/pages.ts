import { patternAt } from '../client/pattern.ts'
import type { Requests } from './requests.ts'

const BOUNDARY = '----WebKitFormBoundaryq7Bn2LxW0sYkTz4e'
const TYPE = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` }

/** A file of a legacy page. */
export interface PageFile {
  readonly task: string
  readonly size: number
  readonly chunkSize: number
}

/**
 * Sends chunks, some of them twice. Like WebUploader, it repeats one whose offset only its length revealed.
 *
 * @returns the path of the upload. @throws Error when one is refused.
 */
export async function sendChunks(requests: Requests, file: PageFile, chunks: readonly number[]): Promise<string> {
  let path = ''
  for (const chunk of chunks) {
    const send = (statuses: readonly number[]) =>
      requests.expect(statuses, 'POST', '/upload/accept', TYPE, bodyOf(file, chunk))
    const first = await send([200, 409])
    const { body } = first.status === 200 ? first : await send([200])
    path = /"url":"([^"]+)"/.exec(body.toString())?.[1] ?? ''
  }
  return path
}

/** Aborts a chunk in the middle. */
export function breakChunkOff(requests: Requests, file: PageFile, chunk: number): Promise<void> {
  const body = bodyOf(file, chunk)
  return requests.breakOff('POST', '/upload/accept', TYPE, body, { after: body.length >> 1 })
}

/** Requests /upload/complete. @throws Error for an unexpected response. */
export async function expectComplete(requests: Requests, { task }: PageFile, status: 200 | 409): Promise<void> {
  await requests.expect([status], 'GET', `/upload/complete?task_id=${task}&filename=soak.bin`, {})
}

export function chunkCount({ size, chunkSize }: PageFile): number {
  return Math.ceil(size / chunkSize)
}

function bodyOf(file: PageFile, chunk: number): Buffer {
  const start = chunk * file.chunkSize
  const fields = {
    task_id: file.task,
    id: 'WU_FILE_0',
    name: 'soak.bin',
    size: file.size,
    chunks: chunkCount(file),
    chunk,
  }
  const parts = Object.entries(fields).map(([name, value]) => `${head(`name="${name}"`)}\r\n${value}\r\n`)
  const fileHead = head('name="file"; filename="soak.bin"')
  const before = `${parts.join('')}${fileHead}Content-Type: application/octet-stream\r\n\r\n`
  const bytes = patternAt(start, Math.min(file.chunkSize, file.size - start))
  return Buffer.concat([Buffer.from(before), bytes, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)])
}

function head(parameters: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${parameters}\r\n`
}
