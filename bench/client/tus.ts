import { MIB } from '../sizes.ts'
import type { Answer } from './answer-parser.ts'
import { Connection } from './connection.ts'

/** The headers of every tus 1.0.0 request. */
export const TUS = { 'Tus-Resumable': '1.0.0' }
export const OFFSET_STREAM = 'application/offset+octet-stream'

const NOTHING = { offset: 0, length: 0 }

/** Creates an upload of `size` bytes. @returns its path. */
export async function create(connection: Connection, size: number): Promise<string> {
  const headers = { ...TUS, 'Upload-Length': size }
  return pathOf(await connection.request({ method: 'POST', path: '/files', headers, body: NOTHING }))
}

/** Creates an upload together with its `size` bytes, at most 1 MiB. @returns its path. */
export async function createWithUpload(connection: Connection, size: number): Promise<string> {
  const headers = { ...TUS, 'Upload-Length': size, 'Content-Type': OFFSET_STREAM }
  const answer = await connection.request({
    method: 'POST',
    path: '/files',
    headers,
    body: { offset: 0, length: size },
  })
  expectOffset(answer, size)
  return pathOf(answer)
}

/** Sends `length` bytes at `offset`. @throws Error when the server does not confirm them. */
export async function patch(connection: Connection, path: string, offset: number, length: number): Promise<void> {
  const headers = { ...TUS, 'Upload-Offset': offset, 'Content-Type': OFFSET_STREAM }
  expectOffset(await connection.request({ method: 'PATCH', path, headers, body: { offset, length } }), offset + length)
}

/** @throws Error when HEAD returns another offset. */
export async function checkOffset(connection: Connection, path: string, offset: number): Promise<void> {
  expectOffset(await connection.request({ method: 'HEAD', path, headers: TUS }), offset)
}

/** Uploads `size` bytes in PATCHes of `patchSize`, then checks the offset. @returns the upload's path. */
export async function upload(port: number, size: number, patchSize: number): Promise<string> {
  const connection = new Connection(port)
  const path = await create(connection, size)
  for (let offset = 0; offset < size; offset += patchSize) {
    await patch(connection, path, offset, Math.min(patchSize, size - offset))
  }
  await checkOffset(connection, path, size)
  connection.close()
  return path
}

/** `count` concurrent uploads of `size` bytes, each over its own connection, in one PATCH or in several. */
export async function uploadAtOnce(port: number, count: number, size: number, patchSize = size): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => upload(port, size, patchSize)))
}

/** `count` uploads of `size` bytes, sent with their creation, over `lanes` connections. */
export async function uploadSmall(port: number, count: number, size: number, lanes: number): Promise<void> {
  let begun = 0
  const lane = async (): Promise<void> => {
    const connection = new Connection(port)
    while (begun < count) {
      begun++
      await createWithUpload(connection, size)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Creates an upload with only its first MiB. @returns its path. */
export async function leaveUnfinished(port: number): Promise<string> {
  const connection = new Connection(port)
  const path = await create(connection, 2 * MIB)
  await patch(connection, path, 0, MIB)
  await checkOffset(connection, path, MIB)
  connection.close()
  return path
}

function pathOf(answer: Answer): string {
  return new URL(answer.headers.get('location') ?? '', 'http://127.0.0.1/').pathname
}

function expectOffset(answer: Answer, offset: number): void {
  const reported = answer.headers.get('upload-offset')
  if (reported !== String(offset))
    throw new Error(`Upload-Offset is ${reported ?? 'absent'} where it must be ${offset}.`)
}
