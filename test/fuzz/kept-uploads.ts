import { readdir, readFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import type { Layout } from '../../server/disk/layout.ts'
import { DRAFT } from '../support/draft.ts'
import { BOUNDARY, fileFields, multipartBody } from '../support/webuploader.ts'
import { bytesOf } from './grammar/text.ts'
import { KEPT_TASK } from './placeholder-ids.ts'

const FINISHED = Buffer.from(bytesOf(0, 5000), 'latin1')
const UNFINISHED = Buffer.from(bytesOf(0, 1000), 'latin1')
const CHUNK = 1000
const LEGACY = { ...fileFields('kept.bin', 3 * CHUNK, KEPT_TASK), chunks: 3 }

/**
 * Uploads that must not change: a finished and an unfinished one of tus and of the draft, and one of a legacy page that
 * lacks its chunk 1.
 */
export interface Kept {
  readonly finished: string
  readonly unfinished: string
  readonly draftFinished: string
  readonly draftUnfinished: string
  readonly legacy: string
}

/** Creates them. */
export async function makeKept(port: number): Promise<Kept> {
  const finished = await create(port, { 'Upload-Length': '5000', 'Upload-Metadata': 'filename a2VwdC50eHQ=' }, FINISHED)
  const unfinished = await create(port, { 'Upload-Length': '4000' }, UNFINISHED)
  const draftFinished = await createByDraft(port, true, FINISHED, {
    'Content-Disposition': 'attachment; filename="kept.txt"',
  })
  const draftUnfinished = await createByDraft(port, false, UNFINISHED)
  let legacy = ''
  for (const chunk of [0, 2]) {
    const body = multipartBody({ ...LEGACY, chunk }, Buffer.from(bytesOf(chunk * CHUNK, (chunk + 1) * CHUNK), 'latin1'))
    const type = `multipart/form-data; boundary=${BOUNDARY}`
    const answer = await ask(port, 'POST', '/upload/accept', { 'Content-Type': type }, body)
    legacy = /"id":"([^"]+)"/.exec(answer.body.toString())?.[1] ?? ''
  }
  if (legacy === '') throw new Error('The upload of the legacy page was not accepted.')
  return { finished, unfinished, draftFinished, draftUnfinished, legacy }
}

type Headers = Readonly<Record<string, string>>

/** Creates a tus upload with some of its bytes. @returns its id. */
export async function create(port: number, headers: Headers, bytes: Buffer): Promise<string> {
  const type = 'application/offset+octet-stream'
  return post(port, { 'Tus-Resumable': '1.0.0', 'Content-Type': type, ...headers }, bytes)
}

/** Creates a draft upload with some or all of its bytes. @returns its id. */
export async function createByDraft(
  port: number,
  complete: boolean,
  bytes: Buffer,
  headers: Headers = {},
): Promise<string> {
  return post(port, { ...DRAFT, 'Upload-Complete': complete ? '?1' : '?0', ...headers }, bytes)
}

async function post(port: number, headers: Headers, bytes: Buffer): Promise<string> {
  const answer = await ask(port, 'POST', '/files', headers, bytes)
  const id = answer.headers.location?.split('/').at(-1)
  if (id === undefined) throw new Error(`POST /files: ${answer.status} ${answer.body}`)
  return id
}

/** @throws Error if one of them has changed on disk. */
export async function checkOnDisk(kept: Kept, layout: Layout): Promise<void> {
  for (const id of [kept.finished, kept.draftFinished]) {
    const folder = layout.finishedFolder(id)
    const names = await readdir(folder)
    if (names.join() !== 'kept.txt') throw new Error(`The directory of the finished upload has ${names.join()}.`)
    same('finished', await readFile(path.join(folder, 'kept.txt')), FINISHED)
  }
  for (const id of [kept.unfinished, kept.draftUnfinished]) {
    same('unfinished', await readFile(layout.incomingFile(id)), UNFINISHED)
  }
  const bytes = await readFile(layout.incomingFile(kept.legacy))
  same('first chunk', bytes.subarray(0, CHUNK), Buffer.from(bytesOf(0, CHUNK), 'latin1'))
  same('last chunk', bytes.subarray(2 * CHUNK), Buffer.from(bytesOf(2 * CHUNK, 3 * CHUNK), 'latin1'))
}

/** @throws Error if the responses for one of them have changed. */
export async function checkOverHttp(kept: Kept, port: number): Promise<void> {
  for (const id of [kept.finished, kept.draftFinished]) {
    same('download', (await ask(port, 'GET', `/files/${id}`)).body, FINISHED)
  }
  for (const [id, protocol, state] of [
    [kept.unfinished, { 'Tus-Resumable': '1.0.0' }, '1000'],
    [kept.draftUnfinished, DRAFT, '1000 ?0'],
    [kept.draftFinished, DRAFT, '5000 ?1'],
  ] as const) {
    const { headers } = await ask(port, 'HEAD', `/files/${id}`, protocol)
    const reported = [headers['upload-offset'], headers['upload-complete']]
      .filter((value) => value !== undefined)
      .join(' ')
    if (reported !== state) throw new Error(`An upload is at ${reported}, not at ${state}.`)
  }
  const asked = await ask(port, 'GET', `/upload/complete?task_id=${KEPT_TASK}&filename=kept.bin`)
  if (!asked.body.includes('"missing":[1]')) throw new Error(`The upload of the legacy page: ${asked.body}`)
}

function same(what: string, found: Buffer, expected: Buffer): void {
  if (!found.equals(expected))
    throw new Error(`The ${what} has changed: ${found.length} bytes, not ${expected.length}.`)
}

interface Told {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** A request on its own connection, which is closed when this returns. */
function ask(port: number, method: string, target: string, headers: Headers = {}, body?: Buffer): Promise<Told> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method, path: target, headers, agent: false })
    let reported: Told | undefined
    request.once('error', reject)
    request.once('close', () =>
      reported === undefined ? reject(new Error(`${method} ${target}: no answer`)) : resolve(reported),
    )
    request.once('response', (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.once('end', () => {
        reported = { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }
      })
    })
    request.end(body)
  })
}
