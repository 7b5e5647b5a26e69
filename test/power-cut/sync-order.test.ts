import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { SyncMode } from '../../server/disk/environment.ts'
import { Layout } from '../../server/disk/layout.ts'
import { bytesOf } from '../support/bytes.ts'
import { answerOf } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, head, idOf, locationOf, PATCH_HEADERS, patch, patchWith, TUS } from '../support/tus.ts'
import { complete, cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'
import { historyOf } from './history.ts'
import type { Line } from './recorder-log.ts'
import { parseTrace, STRACE } from './strace-parser.ts'
import { SyncRules } from './sync-rules.ts'

const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }
const content = bytesOf(100_000)
const small = bytesOf(5_000)
const metadata = { 'Upload-Metadata': `filename ${Buffer.from('file.bin').toString('base64')}` }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

/** Checks a response, given the line at which it was sent. */
type Check = (rules: SyncRules, at: number) => string[]

/** Sequential requests, each with a check of its response. */
class Session {
  readonly checks: { readonly of: string; readonly check: Check }[] = []
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  async add(of: string, status: number, request: Promise<Response>, check: Check = () => []): Promise<Response> {
    const response = await request
    expect([of, response.status]).toEqual([of, status])
    this.checks.push({ of, check })
    return response
  }

  async created(of: string, headers: Readonly<Record<string, string>>, body?: Buffer<ArrayBuffer>): Promise<string> {
    let id = ''
    const request = create(this.#base, { ...metadata, ...headers, ...(body && TYPE) }, body)
    const response = await this.add(of, 201, request, (rules, at) => {
      if (body === undefined) return rules.created(id, at)
      return body.length === Number(headers['Upload-Length'])
        ? rules.finished(id, 'file.bin', at)
        : rules.received(id, { start: 0, end: body.length }, at)
    })
    const url = locationOf(response, this.#base)
    id = idOf(url)
    return url
  }

  async finished(of: string, status: number, request: Promise<Response>, url: string): Promise<void> {
    await this.add(of, status, request, (rules, at) => rules.finished(idOf(url), 'file.bin', at))
  }

  async received(of: string, request: Promise<Response>, url: string, end: number): Promise<void> {
    await this.add(of, 204, request, (rules, at) => rules.received(idOf(url), { start: 0, end }, at))
  }
}

/** One request of each kind. @param durable whether a DELETE is on disk before its response. */
async function everyRequest(session: Session, base: string, durable: boolean): Promise<void> {
  const length = { 'Upload-Length': String(content.length) }
  const plain = await session.created('creation', length)
  await session.received('PATCH', patch(plain, 0, content.subarray(0, 30_000)), plain, 30_000)
  await session.received('HEAD', head(plain).then(as204), plain, 30_000)
  const half = content.subarray(30_000, 60_000)
  const sum = { ...PATCH_HEADERS, 'Upload-Offset': '30000', 'Upload-Checksum': `sha1 ${sha1(half)}` }
  await session.received('PATCH with a checksum', patchWith(plain, sum, half), plain, 60_000)
  await session.finished('last PATCH', 204, patch(plain, 60_000, content.subarray(60_000)), plain)
  await session.finished('HEAD of a finished upload', 200, head(plain), plain)
  await session.created('creation with a whole small file', { 'Upload-Length': '5000' }, small)
  const begun = await session.created('creation with bytes', length, content.subarray(0, 70_000))
  await session.finished('its last PATCH', 204, patch(begun, 70_000, content.subarray(70_000)), begun)
  await removal('DELETE of a finished upload', begun)

  const deferred = await session.created('creation without a length', { 'Upload-Defer-Length': '1' })
  const wrong = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Checksum': `sha1 ${sha1(half)}` }
  await session.add('refused PATCH', 460, patchWith(deferred, wrong, bytesOf(120_000, 9)))
  const whole = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Checksum': `sha1 ${sha1(content)}`, ...length }
  await session.finished('PATCH with the length', 204, patchWith(deferred, whole, content), deferred)
  const left = await session.created('creation of another', length)
  await session.received('its PATCH', patch(left, 0, half), left, half.length)
  await removal('DELETE of an unfinished upload', left)

  const parts: string[] = []
  for (const bytes of [content.subarray(0, 40_000), content.subarray(40_000)]) {
    const partial = { 'Upload-Length': String(bytes.length), 'Upload-Concat': 'partial' }
    const part = await session.created('creation of a part', partial)
    await session.received('PATCH of a part', patch(part, 0, bytes), part, bytes.length)
    parts.push(new URL(part).pathname)
  }
  let final = ''
  const concat = create(base, { ...metadata, 'Upload-Concat': `final;${parts.join(' ')}` })
  const joined = await session.add('concatenation', 201, concat, (rules, at) => rules.finished(final, 'file.bin', at))
  final = idOf(locationOf(joined, base))

  const file = cut(content, 40_000, { name: 'file.bin' })
  const range = { start: 0, end: 40_000 }
  let id = ''
  const first = sendChunk(base, file.fields(0), file.bytes(0))
  const answer = await session.add('chunk', 200, first, (rules, at) => rules.received(id, range, at))
  id = (await answerOf(answer)).id ?? ''
  await session.add('next chunk', 200, sendChunk(base, file.fields(1), file.bytes(1)), (rules, at) =>
    rules.received(id, { start: 0, end: 80_000 }, at),
  )
  const url = `${base}/files/${id}`
  await session.finished('last chunk', 200, sendChunk(base, file.fields(2), file.bytes(2)), url)
  const asked = complete(base, { task_id: String(file.common.task_id) })
  // The record notes that the page knows of the file. A power cut may undo that, but replaces the record atomically.
  if (durable) await session.finished('complete', 200, asked, url)
  else await session.add('complete', 200, asked)

  async function removal(of: string, gone: string): Promise<void> {
    const request = fetch(gone, { method: 'DELETE', headers: TUS })
    await session.add(of, 204, request, (rules, at) => rules.removed(idOf(gone), 'file.bin', at, durable))
  }
}

/**
 * Sends all requests to a traced program.
 *
 * @param folderOfFiles the folder of each finished file.
 * @returns the broken rules, by request.
 */
async function traced(
  sync: SyncMode,
  folderOfFiles?: string,
): Promise<{ broken: (only: RegExp) => Record<string, string[]>; lines: Line[] }> {
  const log = path.join(folder.path, 'trace')
  const data = path.join(folder.path, 'data')
  const settings = { DATA_DIR: data, SYNC: sync, FOLDER: folderOfFiles ?? '' }
  program = await startProgram(settings, undefined, [...STRACE, '-o', log])
  // After its start, it counts its uploads, and syncs their totals: no response waits for that.
  await until(async () => hasKeptTotals(stepsOf(parseTrace(await readFile(log, 'utf8')), data)))
  const session = new Session(program.url)
  await everyRequest(session, program.url, sync === 'always')
  await program.end('SIGKILL')
  const ended = new RegExp(`^${program.process.pid} +\\+\\+\\+ killed by SIGKILL`, 'm')
  await until(async () => ended.test(await readFile(log, 'utf8')))
  const lines = parseTrace(await readFile(log, 'utf8'))
  const answers = lines.flatMap((line, i) => (line.at === 'answer' ? [i] : []))
  expect(answers).toHaveLength(session.checks.length)
  const rules = new SyncRules(historyOf(lines, folder.path), new Layout(data), folderOfFiles)
  const broken = (only: RegExp): Record<string, string[]> =>
    Object.fromEntries(
      session.checks
        .map(({ of, check }, i): [string, string[]] => [of, check(rules, answers[i] ?? 0)])
        .filter(([of, found]) => only.test(of) && found.length > 0),
    )
  return { broken, lines }
}

/** The number of syncs before a response: since the previous one, or since the start. */
function syncsBeforeAnswer(lines: readonly Line[], answer: number): number {
  const answers = lines.flatMap((line, i) => (line.at === 'answer' ? [i] : []))
  const between = lines.slice(answers[answer - 1] ?? 0, answers[answer])
  return between.filter((line) => line.at === 'begin' && line.op === 'sync').length
}

describe('The order of system calls', () => {
  it('makes creations, bytes, finished files, and removals durable before the response with SYNC=always', async () => {
    const { broken } = await traced('always')
    expect(broken(/./)).toEqual({})
  }, 120_000)

  it('makes finished files durable before the response with SYNC=finish, and removals after their tombstone', async () => {
    const { broken, lines } = await traced('finish')
    expect(broken(/last|finished|whole|DELETE|with the length|concatenation|complete/)).toEqual({})
    // Nothing else waits for the disk: a creation without a new directory, bytes of an unfinished upload, queries.
    expect([1, 2].map((answer) => syncsBeforeAnswer(lines, answer))).toEqual([0, 0])
  }, 120_000)

  it.each(['always', 'finish'] as const)(
    'makes files in folders as durable, with SYNC=%s',
    async (sync) => {
      const { broken } = await traced(sync, 'a/deep/folder')
      const promised = /last|finished|whole|DELETE|with the length|concatenation|complete/
      expect(broken(sync === 'always' ? /./ : promised)).toEqual({})
    },
    120_000,
  )

  it('makes no response wait for the disk with SYNC=never', async () => {
    const { lines } = await traced('never')
    const count = lines.filter((line) => line.at === 'answer').length
    expect([...Array(count).keys()].slice(1).map((answer) => syncsBeforeAnswer(lines, answer))).toEqual(
      Array(count - 1).fill(0),
    )
  }, 120_000)
})

/** The operations, in order, that changed the directory or synced something; paths are relative to it. */
function stepsOf(lines: readonly Line[], root: string): string[] {
  const opened = new Map<string, string>()
  return lines.flatMap((line) => {
    if (line.at !== 'begin') return []
    if (line.op === 'open') opened.set(line.id, path.relative(root, line.path))
    if (line.op === 'sync') return [`sync ${opened.get(line.handle)}`]
    if (line.op === 'rename') return [`rename ${path.relative(root, line.from)}`]
    return line.op === 'remove' ? [`remove ${path.relative(root, line.path)}`] : []
  })
}

function hasKeptTotals(steps: readonly string[]): boolean {
  const rename = steps.indexOf('rename usage.tmp')
  return rename !== -1 && steps.indexOf('sync ', rename) !== -1
}

describe.each(['finish', 'never'])('The format file with SYNC=%s', (SYNC) => {
  it('is durable before it gets its name, and its name afterwards', async () => {
    const log = path.join(folder.path, 'trace')
    const data = path.join(folder.path, 'data')
    program = await startProgram({ DATA_DIR: data, SYNC }, undefined, [...STRACE, '-o', log])
    await program.end('SIGKILL')
    const ended = new RegExp(`^${program.process.pid} +\\+\\+\\+ killed by SIGKILL`, 'm')
    await until(async () => ended.test(await readFile(log, 'utf8')))
    const steps = stepsOf(parseTrace(await readFile(log, 'utf8')), data)
    const rename = steps.indexOf('rename format.tmp')
    expect(steps.slice(rename - 1, rename + 2)).toEqual(['sync format.tmp', 'rename format.tmp', 'sync '])
  })
})

describe('Adopted uploads', () => {
  it('are durable, with their record, before their old description is removed', async () => {
    const log = path.join(folder.path, 'trace')
    const data = path.join(folder.path, 'data')
    await mkdir(data)
    await writeFile(path.join(data, 'old'), content)
    await writeFile(path.join(data, 'old.json'), JSON.stringify({ id: 'old', size: content.length + 1 }))
    program = await startProgram({ DATA_DIR: data }, undefined, [...STRACE, '-o', log])
    await program.end('SIGKILL')
    const ended = new RegExp(`^${program.process.pid} +\\+\\+\\+ killed by SIGKILL`, 'm')
    await until(async () => ended.test(await readFile(log, 'utf8')))
    const steps = stepsOf(parseTrace(await readFile(log, 'utf8')), data)
    const own = steps.slice(steps.indexOf('sync old'), steps.indexOf('remove old.json') + 1)
    expect(own).toEqual([
      'sync old',
      'sync records',
      expect.stringMatching(/^sync records\/.*\/old\.json$/),
      expect.stringMatching(/^sync records\/[^/]+$/),
      'rename old',
      'sync incoming',
      'remove old.json',
    ])
  })
})

function sha1(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('base64')
}

/** HEAD returns with 200 what PATCH returns with 204. */
function as204(response: Response): Response {
  return response.status === 200 ? new Response(null, { status: 204 }) : response
}
