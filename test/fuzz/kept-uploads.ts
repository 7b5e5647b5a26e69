import { readdir, readFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import type { Layout } from '../../server/disk/layout.ts'
import { DRAFT } from '../support/draft.ts'
import { BOUNDARY, fileFields, multipartBody } from '../support/webuploader.ts'
import { bytesOf } from './grammar/text.ts'
import { KEPT_TASK } from './placeholder-ids.ts'

/** Any 15 bytes of the content contain it, so a response that reveals some is found out. */
const MARK = '<kept!>\n'
const FINISHED = Buffer.from(MARK.repeat(625))
const UNFINISHED = FINISHED.subarray(0, 1000)
const SHARED = Buffer.from(bytesOf(0, 3000), 'latin1')
const CHUNK = 1000
const LEGACY = { ...fileFields('kept.bin', 3 * CHUNK, KEPT_TASK), chunks: 3 }
/** Names of files on disk. */
const NAME = 'kept.txt'
const SHARED_NAME = 'shared.txt'

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
  /** A finished one to which a link exists. */
  readonly shared: string
  /** The name of that link in the path. */
  readonly link: string
}

/** Who sends a request, and to which port. */
export interface Caller {
  readonly port: number
  /** The credentials. */
  readonly headers: Headers
}

/** Texts of these uploads that no response to another client may contain. */
export function privateTexts({ legacy }: Kept): readonly string[] {
  return [MARK, NAME, legacy]
}

/** Creates them. */
export async function makeKept(owner: Caller): Promise<Kept> {
  const finished = await create(owner, { 'Upload-Length': '5000', ...named(NAME) }, FINISHED)
  const shared = await create(owner, { 'Upload-Length': '3000', ...named(SHARED_NAME) }, SHARED)
  const unfinished = await create(owner, { 'Upload-Length': '4000' }, UNFINISHED)
  const draftFinished = await createByDraft(owner, true, FINISHED, {
    'Content-Disposition': `attachment; filename="${NAME}"`,
  })
  const draftUnfinished = await createByDraft(owner, false, UNFINISHED)
  let legacy = ''
  for (const chunk of [0, 2]) {
    const body = multipartBody({ ...LEGACY, chunk }, FINISHED.subarray(chunk * CHUNK, (chunk + 1) * CHUNK))
    const type = `multipart/form-data; boundary=${BOUNDARY}`
    const answer = await ask(owner, 'POST', '/upload/accept', { 'Content-Type': type }, body)
    legacy = /"id":"([^"]+)"/.exec(answer.body.toString())?.[1] ?? ''
  }
  if (legacy === '') throw new Error('The upload of the legacy page was not accepted.')
  const answer = await ask(owner, 'POST', `/files/${shared}/link?expires_in=86400`)
  const link = /\/files\/(~[\w-]+)"/.exec(answer.body.toString())?.[1]
  if (link === undefined) throw new Error(`The link was not created: ${answer.status} ${answer.body}`)
  return { finished, unfinished, draftFinished, draftUnfinished, legacy, shared, link }
}

type Headers = Readonly<Record<string, string>>

function named(name: string): Headers {
  return { 'Upload-Metadata': `filename ${Buffer.from(name).toString('base64')}` }
}

/** Creates a tus upload with some of its bytes. @returns its id. */
export async function create(caller: Caller, headers: Headers, bytes: Buffer): Promise<string> {
  const type = 'application/offset+octet-stream'
  return post(caller, { 'Tus-Resumable': '1.0.0', 'Content-Type': type, ...headers }, bytes)
}

/** Creates a draft upload with some or all of its bytes. @returns its id. */
export async function createByDraft(
  caller: Caller,
  complete: boolean,
  bytes: Buffer,
  headers: Headers = {},
): Promise<string> {
  return post(caller, { ...DRAFT, 'Upload-Complete': complete ? '?1' : '?0', ...headers }, bytes)
}

async function post(caller: Caller, headers: Headers, bytes: Buffer): Promise<string> {
  const answer = await ask(caller, 'POST', '/files', headers, bytes)
  const id = answer.headers.location?.split('/').at(-1)
  if (id === undefined) throw new Error(`POST /files: ${answer.status} ${answer.body}`)
  return id
}

/** @throws Error if one of them has changed on disk. */
export async function checkOnDisk(kept: Kept, layout: Layout): Promise<void> {
  for (const [id, name, content] of [
    [kept.finished, NAME, FINISHED],
    [kept.draftFinished, NAME, FINISHED],
    [kept.shared, SHARED_NAME, SHARED],
  ] as const) {
    const folder = layout.finishedFolder(id)
    const names = await readdir(folder)
    if (names.join() !== name) throw new Error(`The directory of the finished upload has ${names.join()}.`)
    same('finished', await readFile(path.join(folder, name)), content)
  }
  for (const id of [kept.unfinished, kept.draftUnfinished]) {
    same('unfinished', await readFile(layout.incomingFile(id)), UNFINISHED)
  }
  const bytes = await readFile(layout.incomingFile(kept.legacy))
  same('first chunk', bytes.subarray(0, CHUNK), FINISHED.subarray(0, CHUNK))
  same('last chunk', bytes.subarray(2 * CHUNK), FINISHED.subarray(2 * CHUNK, 3 * CHUNK))
}

/** @throws Error if the responses to their owner have changed. */
export async function checkOverHttp(kept: Kept, owner: Caller): Promise<void> {
  for (const id of [kept.finished, kept.draftFinished]) {
    same('download', (await ask(owner, 'GET', `/files/${id}`)).body, FINISHED)
  }
  same('download by the link', (await ask({ ...owner, headers: {} }, 'GET', `/files/${kept.link}`)).body, SHARED)
  for (const [id, protocol, state] of [
    [kept.unfinished, { 'Tus-Resumable': '1.0.0' }, '1000'],
    [kept.draftUnfinished, DRAFT, '1000 ?0'],
    [kept.draftFinished, DRAFT, '5000 ?1'],
  ] as const) {
    const { headers } = await ask(owner, 'HEAD', `/files/${id}`, protocol)
    const reported = [headers['upload-offset'], headers['upload-complete']]
      .filter((value) => value !== undefined)
      .join(' ')
    if (reported !== state) throw new Error(`An upload is at ${reported}, not at ${state}.`)
  }
  const asked = await ask(owner, 'GET', `/upload/complete?task_id=${KEPT_TASK}&filename=kept.bin`)
  if (!asked.body.includes('"missing":[1]')) throw new Error(`The upload of the legacy page: ${asked.body}`)
}

/** @throws Error unless they do not exist for another client. */
export async function checkHidden(kept: Kept, stranger: Caller): Promise<void> {
  const { finished, unfinished, draftFinished, draftUnfinished, legacy, shared } = kept
  for (const id of [finished, unfinished, draftFinished, draftUnfinished, legacy, shared]) {
    for (const [method, headers] of [
      ['HEAD', { 'Tus-Resumable': '1.0.0' }],
      ['HEAD', DRAFT],
      ['GET', {}],
      ['DELETE', { 'Tus-Resumable': '1.0.0' }],
    ] as const) {
      const { status, headers: sent } = await ask(stranger, method, `/files/${id}`, headers)
      if (status === 404 && sent['upload-error'] === 'not_found') continue
      throw new Error(`${method} of another client's upload: ${status} ${sent['upload-error']}.`)
    }
  }
  const asked = await ask(stranger, 'GET', `/upload/complete?task_id=${KEPT_TASK}&filename=kept.bin`)
  if (asked.status !== 404) throw new Error(`Another client's task: ${asked.status} ${asked.body}`)
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
function ask(
  { port, headers: credentials }: Caller,
  method: string,
  target: string,
  headers: Headers = {},
  body?: Buffer,
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      ...{ port, host: '127.0.0.1', method, path: target, agent: false },
      headers: { ...credentials, ...headers },
    })
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
