import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Upload } from 'tus-js-client'
import type { Step } from '../../server/disk/environment.ts'
import { LandfallStore } from '../../server/tus-store/landfall-store.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, idOf, offsetOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const STOPPABLE = fileURLToPath(new URL('program-with-stops.mjs', import.meta.url))
const CHUNK = 150_000
const LENGTHS = [700_001, 450_000, 1]
const RETRIES = Array.from({ length: 300 }, () => 20)

let folder: TemporaryFolder
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

/** @param stop kills the program at an occurrence of a step. */
async function start(port: string, stop?: { readonly step: Step; readonly count: number }): Promise<void> {
  const stops = stop === undefined ? {} : { STOP_AT: stop.step, STOP_COUNT: String(stop.count) }
  program = await startProgram({ DATA_DIR: folder.path, PORT: port, ...stops }, STOPPABLE)
}

/** An upload that resumes until it is done. */
interface Running {
  readonly content: Buffer
  /** How many bytes the server has acknowledged, at the URL that the client has. */
  accepted(): { readonly url: string | null; readonly bytes: number }
  readonly done: Promise<void>
}

function upload(base: string, index: number): Running {
  const content = bytesOf(LENGTHS[index] ?? 0, index)
  let bytes = 0
  let end = (_error?: Error): void => undefined
  const done = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error))
  })
  const client = new Upload(content, {
    endpoint: `${base}/files`,
    chunkSize: CHUNK,
    retryDelays: RETRIES,
    metadata: { filename: `${index}.bin` },
    onChunkComplete: (_, accepted) => {
      bytes = accepted
    },
    onSuccess: () => end(),
    onError: end,
  })
  client.start()
  return { content, accepted: () => ({ url: client.url, bytes }), done }
}

describe('A program with @tus/server and LandfallStore that is killed', () => {
  it.each<[Step, number]>([
    ['create:record', 2],
    ['write:returned', 1],
    ['write:returned', 5],
    ['write:returned', 9],
    ['finish:synced', 1],
    ['finish:folder', 2],
    ['finish:renamed', 1],
    ['finish:renamed', 3],
    ['finish:directories', 2],
  ])('at %s, occurrence %d, loses nothing that it has acknowledged, and each file is complete', async (step, count) => {
    await start('0', { step, count })
    const { url: base } = program
    const { port } = new URL(base)
    const running = LENGTHS.map((_, index) => upload(base, index))
    if (program.process.signalCode === null) await once(program.process, 'exit')
    expect(program.process.signalCode).toBe('SIGKILL')
    const accepted = running.map((one) => one.accepted())
    await start(port)
    for (const { url, bytes } of accepted) if (url !== null) expect(await offsetOf(url)).toBeGreaterThanOrEqual(bytes)
    await Promise.all(running.map(({ done }) => done))
    for (const [index, { content, accepted: last }] of running.entries()) {
      const file = path.join(folder.path, 'files', idOf(last().url ?? ''), `${index}.bin`)
      expect((await readFile(file)).equals(content)).toBe(true)
    }
  })

  it('has its complete files in their place once the store is open, without a request', async () => {
    await start('0', { step: 'finish:synced', count: 1 })
    const exit = once(program.process, 'exit')
    const url = await createUpload(program.url, 5)
    await expect(patch(url, 0, Buffer.from('hello'))).rejects.toThrow()
    await exit
    const store = await new LandfallStore({ directory: folder.path }).open()
    const file = path.join(folder.path, 'files', idOf(url), 'file')
    await until(() =>
      readFile(file).then(
        () => true,
        () => false,
      ),
    )
    expect(await readFile(file, 'utf8')).toBe('hello')
    await store.close()
  })
})
