import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf } from '../support/chunks.ts'
import { memoryFolder } from '../support/folder.ts'
import { Random } from '../support/random.ts'
import { PATCH_HEADERS, TUS } from '../support/tus.ts'
import { BOUNDARY, fileFields, multipartBody } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'
import { factsAt } from './acknowledged-facts.ts'
import { checkAfterCut } from './after-cut-checks.ts'
import { finishByHttp } from './http-checks.ts'
import { type Cut, type Loss, writeImage } from './image.ts'
import { Machine, type Recording, recordLoad } from './recording.ts'
import type { SentFile } from './workload.ts'

const MINUTE = 60_000
/** A failure reports its seed. */
const seed = Number(process.env['POWER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** The number of power cuts per recording, and of recordings. */
const cuts = Number(process.env['POWER_CUTS'] ?? 60)
const recordings = Number(process.env['POWER_RECORDINGS'] ?? 1)

const LOSSES: readonly Loss[] = ['all', 'nothing', 'anything', 'anything']
const STOPPABLE = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))

let machine: Machine
beforeEach(async () => {
  machine = await Machine.make()
})
afterEach(() => machine.dispose())

async function checkCut({ history, lines, files, sync }: Recording, cut: Cut): Promise<void> {
  const folder = await memoryFolder()
  try {
    writeImage(history, cut, folder.path)
    const data = path.join(folder.path, 'data')
    await checkAfterCut(data, sync, randomUUID(), files, factsAt(lines, cut.at, files))
  } finally {
    await folder.dispose()
  }
}

/** A cut at the end, which loses everything that may be lost. */
function lateCut({ lines }: Recording): Cut {
  return { at: lines.length, loss: 'all', inOrder: false, random: new Random(seed) }
}

/** Every file in a directory with its bytes. */
function everything(folder: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter((name) => statSync(path.join(folder, name)).isFile())
  return new Map(files.map((name) => [name, readFileSync(path.join(folder, name), 'base64')]))
}

describe.each(['finish', 'always'] as const)('A power cut, SYNC=%s,', (sync) => {
  let recorded: Machine
  let recording: Recording
  beforeAll(async () => {
    recorded = await Machine.make()
    recording = await recordLoad(recorded, sync, seed)
  }, 2 * MINUTE)
  afterAll(() => recorded.dispose())

  async function checkCuts(one: Recording, its: number): Promise<void> {
    const random = new Random(its)
    for (let i = 0; i < cuts; i++) {
      const at = random.whole(0, one.lines.length)
      const loss = LOSSES[random.whole(0, LOSSES.length - 1)] ?? 'all'
      const cut = { at, loss, inOrder: random.chance(0.5), random }
      await checkCut(one, cut).catch((error: unknown) => {
        const which = `cut ${i} before line ${at} of ${one.lines.length}, ${loss} lost, in order: ${cut.inOrder}`
        throw new Error(`POWER_SEED=${its}, ${which}`, { cause: error })
      })
    }
  }

  it(
    'at any moment loses nothing that was promised to be durable, and leaves no wrong byte',
    async () => {
      await checkCuts(recording, seed)
      for (let i = 1; i < recordings; i++) {
        await checkCuts(await recordLoad(machine, sync, seed + i), seed + i)
        await machine.dispose()
        machine = await Machine.make()
      }
    },
    (recordings * (cuts + 60) * MINUTE) / 20,
  )

  it(
    'lets the program start, and every client resume whose upload was not reported as finished',
    async () => {
      const random = new Random(seed)
      for (let i = 0; i < 3; i++) {
        const at = random.whole(Math.floor(recording.lines.length / 4), recording.lines.length)
        const after = await Machine.make()
        try {
          writeImage(recording.history, { at, loss: 'anything', inOrder: false, random }, after.folder)
          const facts = factsAt(recording.lines, at, recording.files)
          await finishByHttp(await after.start({ SYNC: sync }), recording.files, facts, sync)
        } finally {
          await after.dispose()
        }
      }
    },
    5 * MINUTE,
  )

  it(
    'is simulated from a complete recording',
    async () => {
      const folder = await memoryFolder()
      writeImage(recording.history, { ...lateCut(recording), loss: 'nothing' }, folder.path)
      expect(everything(path.join(folder.path, 'data'))).toEqual(everything(recorded.dataDir))
      await folder.dispose()
    },
    2 * MINUTE,
  )
})

it.each([
  { what: 'record', parent: 'records' },
  { what: 'folder', parent: 'files' },
])(
  'A power cut loses no finished file whose $what is in a directory that another upload has just created',
  async ({ parent }) => {
    const slow = path.join(machine.dataDir, parent)
    const base = await machine.start({ SYNC: 'finish', SLOW_SYNC: slow, FOLDER: 'folder' })
    const files = [0, 1].map((i): SentFile => {
      const content = Buffer.from(bytesOf(1_000, seed + i))
      return { kind: 'webuploader', name: `file ${i}.bin`, content, parts: [], path: undefined }
    })
    const send = async (i: number): Promise<void> => {
      const file = files[i]
      if (file === undefined) return
      const body = multipartBody(fileFields(file.name, 1_000), file.content)
      const headers = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`, 'X-File': String(i) }
      const answer = await fetch(`${base}/upload/accept`, { method: 'POST', headers, body })
      file.path = (await answerOf(answer)).url
    }
    const first = send(0)
    await until(async () => readdirSync(slow).length > 0)
    await Promise.all([first, send(1)])
    await machine.stop('SIGKILL')
    const recording = await machine.recording('finish', files)
    for (const [i, line] of recording.lines.entries()) {
      if (line.at === 'answer') await checkCut(recording, { ...lateCut(recording), at: i + 1 })
    }
  },
  2 * MINUTE,
)

describe('A power cut after a restart', () => {
  const file: SentFile = {
    kind: 'tus',
    name: 'file.bin',
    content: Buffer.from(bytesOf(100_000, seed)),
    parts: [],
    path: undefined,
  }
  const headers = { ...TUS, 'X-File': '0' }

  async function create(base: string): Promise<void> {
    const metadata = `filename ${Buffer.from(file.name).toString('base64')}`
    const length = { 'Upload-Length': String(file.content.length), 'Upload-Metadata': metadata }
    const answer = await fetch(`${base}/files`, { method: 'POST', headers: { ...headers, ...length } })
    file.path = new URL(answer.headers.get('Location') ?? '', base).pathname
  }

  function append(base: string, start: number, end: number): Promise<Response> {
    const all = { ...headers, ...PATCH_HEADERS, 'Upload-Offset': String(start) }
    return fetch(`${base}${file.path}`, { method: 'PATCH', headers: all, body: file.content.subarray(start, end) })
  }

  async function offset(base: string): Promise<number> {
    const answer = await fetch(`${base}${file.path}`, { method: 'HEAD', headers })
    return Number(answer.headers.get('Upload-Offset'))
  }

  it(
    'loses no file that is reported as finished after a kill',
    async () => {
      const first = await machine.start({ SYNC: 'finish', STOP_AT: 'finish:renamed' }, STOPPABLE)
      await create(first)
      await expect(append(first, 0, file.content.length)).rejects.toThrow()
      expect(await offset(await machine.start({ SYNC: 'finish' }))).toBe(file.content.length)
      await machine.stop('SIGKILL')
      const recording = await machine.recording('finish', [file])
      await checkCut(recording, lateCut(recording))
    },
    2 * MINUTE,
  )

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'loses nothing with SYNC=always that arrived with SYNC=finish: %s',
    async (end) => {
      const first = await machine.start({ SYNC: 'finish' })
      await create(first)
      await append(first, 0, 50_000)
      await machine.stop(end)
      const again = await machine.start({ SYNC: 'always' })
      expect(await offset(again)).toBe(50_000)
      const reported = await machine.recording('always', [file])
      await checkCut(reported, lateCut(reported))
      expect((await append(again, 50_000, 60_000)).status).toBe(204)
      await machine.stop('SIGKILL')
      const recording = await machine.recording('always', [file])
      await checkCut(recording, lateCut(recording))
    },
    2 * MINUTE,
  )
})
