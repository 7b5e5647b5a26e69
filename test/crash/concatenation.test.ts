import { createHash } from 'node:crypto'
import { cp, lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Step, SyncMode } from '../../server/disk/environment.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, head, idOf, locationOf, PATCH_HEADERS, patch, patchWith } from '../support/tus.ts'

const PROGRAM = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
const contents = [1_500_000, 10, 2_500_000].map((size, i) => bytesOf(size, i + 1))
const whole = Buffer.concat(contents)

let folder: TemporaryFolder
let program: Program | undefined
/** The directory of a program that was killed after it had received all parts, and their paths. */
interface Prepared {
  readonly folder: TemporaryFolder
  readonly parts: readonly string[]
}
const prepared = new Map<SyncMode, Prepared>()
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await program?.end('SIGKILL')
  await folder.dispose()
})
afterAll(async () => {
  for (const { folder } of prepared.values()) await folder.dispose()
})

/** Restarts the program on the directory; it kills itself at the given occurrence of a step. */
async function start(
  sync: SyncMode,
  stop: Readonly<Record<string, string>> = {},
  dataDir: string = folder.path,
): Promise<string> {
  await program?.end('SIGKILL')
  program = await startProgram({ DATA_DIR: dataDir, SYNC: sync, ...stop }, PROGRAM)
  return program.url
}

/** The response, or `undefined` if the program was killed before it. */
async function unlessKilled(request: Promise<Response>): Promise<Response | undefined> {
  try {
    return await request
  } catch {
    return undefined
  }
}

async function part(base: string, content: Buffer<ArrayBuffer>): Promise<string> {
  const url = locationOf(await create(base, { 'Upload-Defer-Length': '1', 'Upload-Concat': 'partial' }), base)
  // Bytes that were refused before do not belong to the part.
  const refused = {
    ...PATCH_HEADERS,
    'Upload-Offset': '0',
    'Upload-Checksum': `sha1 ${Buffer.alloc(20).toString('base64')}`,
  }
  expect((await patchWith(url, refused, bytesOf(3_000_000, 9))).status).toBe(460)
  const half = Math.ceil(content.length / 2)
  await patch(url, 0, content.subarray(0, half))
  // With a checksum, so some parts have a journal.
  const checksum = `sha1 ${createHash('sha1').update(content.subarray(half)).digest('base64')}`
  const length = String(content.length)
  const more = { ...PATCH_HEADERS, 'Upload-Offset': String(half), 'Upload-Checksum': checksum, 'Upload-Length': length }
  expect((await patchWith(url, more, content.subarray(half))).status).toBe(204)
  return new URL(url).pathname
}

/** The same parts for each case, in a copy of the directory. @returns their paths. */
async function copyParts(sync: SyncMode): Promise<readonly string[]> {
  const from = prepared.get(sync) ?? (await prepare(sync))
  // Sockets of the program that was killed cannot be copied.
  const filter = async (source: string): Promise<boolean> => !(await lstat(source)).isSocket()
  await cp(from.folder.path, folder.path, { recursive: true, preserveTimestamps: true, filter })
  return from.parts
}

async function prepare(sync: SyncMode): Promise<Prepared> {
  const made = await temporaryFolder()
  const base = await start(sync, {}, made.path)
  const parts = await Promise.all(contents.map((content) => part(base, content)))
  await program?.end('SIGKILL')
  const all = { folder: made, parts }
  prepared.set(sync, all)
  return all
}

const JOINING: [Step, number][] = [
  ['create:bytes', 1],
  ['create:record', 1],
  ...[1, 2, 3, 4, 5].map((count): [Step, number] => ['record:replaced', count]),
  ['takeover:marked', 1],
  ['takeover:renamed', 1],
  ['write:returned', 1],
  ['write:returned', 2],
  ['finish:synced', 1],
  ['finish:folder', 1],
  ['finish:renamed', 1],
  ['finish:directories', 1],
  ['finish:done', 1],
  ['release:marked', 1],
  ['release:marked', 3],
  ['release:done', 1],
  ['release:done', 2],
]
const CASES: [SyncMode, Step, number][] = [
  ...JOINING.map(([step, count]): [SyncMode, Step, number] => ['finish', step, count]),
  ...(['always', 'never'] as const).flatMap((sync) =>
    JOINING.filter(([step, count]) => count === 1 && /takeover|write|release:marked/.test(step)).map(
      ([step, count]): [SyncMode, Step, number] => [sync, step, count],
    ),
  ),
]

describe('A final upload', () => {
  it.each(CASES)('loses nothing when the program is killed: SYNC=%s, %s, %d', async (sync, step, count) => {
    const parts = await copyParts(sync)
    const concat = { 'Upload-Concat': `final;${parts.join(' ')}` }
    const killed = await start(sync, { STOP_AT: step, STOP_COUNT: String(count) })
    expect(await unlessKilled(create(killed, concat))).toBeUndefined()
    const again = await start(sync)
    for (const [i, path] of parts.entries()) {
      const found = await head(`${again}${path}`)
      expect([found.status, found.headers.get('Upload-Offset')]).toEqual([200, String(contents[i]?.length)])
    }
    const response = await create(again, concat)
    expect(response.status).toBe(201)
    const download = await fetch(locationOf(response, again))
    expect(Buffer.from(await download.arrayBuffer()).equals(whole)).toBe(true)
    expect(await readdir(path.join(folder.path, 'incoming'))).toEqual([])
    expect(await readdir(path.join(folder.path, 'files'))).toEqual([idOf(locationOf(response, again))])
  })

  it.each(['takeover:renamed', 'write:returned', 'finish:renamed', 'release:marked'] as const)(
    'is finished without a request after a kill at %s',
    async (step) => {
      const parts = await copyParts('finish')
      const killed = await start('finish', { STOP_AT: step })
      await unlessKilled(create(killed, { 'Upload-Concat': `final;${parts.join(' ')}` }))
      await start('finish')
      const names = (): Promise<string[]> => readdir(path.join(folder.path, 'incoming'))
      while ((await names()).length > 0) await new Promise((resolve) => setTimeout(resolve, 10))
      const [id] = await readdir(path.join(folder.path, 'files'))
      const download = await fetch(`${program?.url}/files/${id}`)
      expect(Buffer.from(await download.arrayBuffer()).equals(whole)).toBe(true)
    },
  )
})

describe('Bytes with a checksum', () => {
  it.each([
    ['finish', 'write:returned'],
    ['always', 'write:returned'],
    ['finish', 'journal:created'],
  ] as const)(
    'do not count when the program is killed before their checksum was compared: SYNC=%s, %s',
    async (sync, step) => {
      const content = contents[2] ?? Buffer.alloc(0)
      const killed = await start(sync, { STOP_AT: step })
      const url = locationOf(await create(killed, { 'Upload-Length': String(content.length) }), killed)
      const wrong = bytesOf(content.length, 9)
      const checksum = `sha256 ${createHash('sha256').update(wrong).digest('base64')}`
      const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Checksum': checksum }
      expect(await unlessKilled(patchWith(url, headers, wrong))).toBeUndefined()
      const again = `${await start(sync)}/files/${idOf(url)}`
      expect((await head(again)).headers.get('Upload-Offset')).toBe('0')
      expect((await patch(again, 0, content)).status).toBe(204)
      expect(Buffer.from(await (await fetch(again)).arrayBuffer()).equals(content)).toBe(true)
    },
  )
})
