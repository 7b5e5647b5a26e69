/** Every call of a page × every state of a file × every kind of stranger: the answer is that for an unknown task. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf, type LegacyAnswer } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { type ChunkFields, type Cut, cut, MULTIPART, multipartBody } from '../support/webuploader.ts'

const content = bytesOf(250)
const others = bytesOf(250, 7)

let service: TestService
let tasks = 0

/** A client with its credentials or its cookie. */
class Client {
  readonly headers: Readonly<Record<string, string>>

  constructor(headers: Readonly<Record<string, string>>) {
    this.headers = headers
  }

  async send(fields: ChunkFields, bytes: Uint8Array): Promise<Response> {
    const headers = { ...this.headers, 'Content-Type': MULTIPART }
    return fetch(`${service.url}/upload/accept`, { method: 'POST', headers, body: multipartBody(fields, bytes) })
  }

  async land(file: Cut, ...chunks: readonly number[]): Promise<LegacyAnswer> {
    let last: LegacyAnswer = { ok: false }
    for (const chunk of chunks) {
      last = await answerOf(await this.send(file.fields(chunk), file.bytes(chunk)))
      expect(last).toMatchObject({ ok: true })
    }
    return last
  }

  check(task: string, fields?: Readonly<Record<string, string>>): Promise<Response> {
    const body = new URLSearchParams(fields === undefined ? 'POST TEST' : { task_id: task, ...fields })
    return fetch(`${service.url}/check`, { method: 'POST', headers: this.headers, body })
  }

  complete(task: string, fields: Readonly<Record<string, string>>): Promise<Response> {
    const query = new URLSearchParams({ task_id: task, ...fields })
    return fetch(`${service.url}/upload/complete?${query}`, { headers: this.headers })
  }

  async download(url = ''): Promise<Buffer> {
    const response = await fetch(service.url + url, { headers: this.headers })
    expect(response.status).toBe(200)
    return Buffer.from(await response.arrayBuffer())
  }
}

const fileOf = (task: string, bytes: Buffer<ArrayBuffer> = content): Cut => cut(bytes, 100, { task_id: task })

type State = 'unfinished' | 'finished' | 'failed' | 'removed'
const STATES: readonly State[] = ['unfinished', 'finished', 'failed', 'removed']

/** Brings the file of a task into a state. */
async function prepare(beginner: Client, task: string, state: State): Promise<LegacyAnswer> {
  const file = fileOf(task)
  const begun = await beginner.land(file, ...(state === 'finished' ? [0, 1, 2] : [0, 1]))
  if (state === 'failed') {
    const recut = await beginner.send({ ...file.common, chunks: 3, chunk: 1 }, bytesOf(90))
    expect(await answerOf(recut)).toMatchObject({ error: { code: 'chunk_size_changed' } })
  }
  if (state === 'removed') {
    const headers = { ...beginner.headers, 'Tus-Resumable': '1.0.0' }
    expect((await fetch(service.url + begun.url, { method: 'DELETE', headers })).status).toBe(204)
  }
  return begun
}

/** A stranger's call, with all that the beginner sends. */
type Call = readonly [title: string, call: (stranger: Client, task: string) => Promise<Response>]

const named = { name: 'big.bin', size: '250' }
const whole = { ...named, id: 'WU_FILE_0', lastModifiedDate: String(fileOf('').common.lastModifiedDate), chunks: '3' }
const theirs = (task: string, chunk: number): [ChunkFields, Buffer] => [
  fileOf(task).fields(chunk),
  fileOf(task, others).bytes(chunk),
]

const CALLS: readonly Call[] = [
  ['accept of chunk 0', (stranger, task) => stranger.send(...theirs(task, 0))],
  ['accept of a stored chunk', (stranger, task) => stranger.send(...theirs(task, 1))],
  ['accept of the last chunk', (stranger, task) => stranger.send(...theirs(task, 2))],
  [
    'accept of a chunk of another size',
    (stranger, task) => stranger.send({ ...fileOf(task).common, chunks: 3, chunk: 1 }, bytesOf(99)),
  ],
  ['accept of another selection', (stranger, task) => stranger.send({ ...theirs(task, 0)[0], id: 'X' }, bytesOf(100))],
  ['complete by name', (stranger, task) => stranger.complete(task, { filename: 'big.bin' })],
  ['complete by type', (stranger, task) => stranger.complete(task, { ext: 'bin', type: 'application/octet-stream' })],
  ['complete of a task', (stranger, task) => stranger.complete(task, {})],
  ['bare check', (stranger, task) => stranger.check(task)],
  ['check of a name', (stranger, task) => stranger.check(task, named)],
  ['check of all fields', (stranger, task) => stranger.check(task, whole)],
]

/** What a client sees, without the ids that differ from task to task. */
async function seen(response: Response): Promise<unknown> {
  const own = new Set(['date', 'set-cookie', 'x-request-id'])
  const headers = Object.fromEntries([...response.headers].filter(([name]) => !own.has(name)))
  const text = (await response.text()).replaceAll(/[0-9a-f]{20}\.[0-9a-f]{16}\.[0-9a-f]{32}/g, 'ID')
  return { status: response.status, headers, text }
}

const newTask = (): string => {
  tasks += 1
  return `wu_task_of_owners_${String(tasks).padStart(4, '0')}_x`
}

/** A visitor who has had a cookie for years. */
function oldVisitor(): Client {
  return new Client({ Cookie: `landfall_visitor=${'0'.repeat(12)}${randomBytes(10).toString('hex')}` })
}

async function newVisitor(): Promise<Client> {
  const response = await fetch(`${service.url}/legacy`)
  await response.arrayBuffer()
  return new Client({ Cookie: response.headers.get('Set-Cookie')?.split(';')[0] ?? '' })
}

type Cast = readonly [
  title: string,
  settings: Readonly<Record<string, string>>,
  cast: () => Promise<readonly [beginner: Client, stranger: Client]>,
]

const withToken = async (subject: string): Promise<Client> =>
  new Client({ Authorization: `Bearer ${await tokenFor(subject)}` })

const CASTS: readonly Cast[] = [
  ['An owner', { AUTH: 'jwt', JWT_SECRET }, async () => [await withToken('alice'), await withToken('bob')]],
  ['A visitor', {}, async () => [await newVisitor(), await newVisitor()]],
  ['A client without a cookie', {}, async () => [oldVisitor(), new Client({})]],
  ['A visitor, where the other client has no cookie,', {}, async () => [new Client({}), oldVisitor()]],
]

describe.each(CASTS)('%s', (_, settings, cast) => {
  beforeAll(async () => {
    service = await startService(settings)
  })
  afterAll(() => service.close())

  describe.each(STATES)('that names the %s file of another client', (state) => {
    it.each(CALLS)('gets the answer for an unknown task (%s)', async (_title, call) => {
      const [beginner, stranger] = await cast()
      const task = newTask()
      const { id, url } = await prepare(beginner, task, state)
      const answer = await seen(await call(stranger, task))
      expect(answer).toEqual(await seen(await call(stranger, newTask())))
      await expectUnharmed(beginner, task, state, { id, url })
    })
  })
})

/** The beginner goes on as if no stranger had called. */
async function expectUnharmed(
  beginner: Client,
  task: string,
  state: State,
  { id, url }: { readonly id: string | undefined; readonly url: string | undefined },
): Promise<void> {
  const file = fileOf(task)
  if (state === 'unfinished' || state === 'finished') {
    expect(await beginner.land(file, 2)).toMatchObject({ id, url, finished: true })
    expect((await beginner.complete(task, { filename: 'big.bin' })).status).toBe(200)
    expect((await beginner.download(url)).equals(content)).toBe(true)
    return
  }
  const status = state === 'failed' ? 409 : 404
  expect((await beginner.complete(task, { filename: 'big.bin' })).status).toBe(status)
  const again = await beginner.land(file, 0, 1, 2)
  expect(again.id).not.toBe(id)
  expect((await beginner.download(again.url)).equals(content)).toBe(true)
}
