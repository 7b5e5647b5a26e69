import { writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bootId } from '../../server/disk/boot-id.ts'
import type { RecoveryStep } from '../../server/disk/environment.ts'
import { Layout } from '../../server/disk/layout.ts'
import { bytesOf } from '../support/bytes.ts'
import { answerOf } from '../support/chunks.ts'
import { memoryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, head, idOf, offsetOf, patch, TUS } from '../support/tus.ts'
import { complete, cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

const STOPPABLE = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
/** Enough uploads for the start to return before it has scanned all. */
const MANY = 8_000
const MINUTE = 60_000

const content = bytesOf(10_000)
const file = cut(content, 4_000)

let folder: Awaited<ReturnType<typeof memoryFolder>>
let layout: Layout
let program: Program
beforeEach(async () => {
  folder = await memoryFolder()
  layout = new Layout(folder.path)
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

async function start(settings: Readonly<Record<string, string>> = {}, main?: string): Promise<void> {
  program = await startProgram({ DATA_DIR: folder.path, SYNC: 'never', ...settings }, main)
}

function urlOf(id: string): string {
  return `${program.url}/files/${id}`
}

function describeForFileStore(id: string, size: number): string {
  return JSON.stringify({ id, size, offset: 0, metadata: { filename: 'adopted.bin' } })
}

/**
 * Creates leftovers of a crash: bytes of a page upload without a record, but with a journal; orphaned bytes with a torn
 * record; an upload that only lacks its finishing; uploads of @tus/file-store, one of them partly adopted.
 *
 * @returns ids.
 */
async function leaveRemains(): Promise<Readonly<Record<'page' | 'whole' | 'begun', string>>> {
  await start()
  const page = (await answerOf(await sendChunk(program.url, file.fields(1), file.bytes(1)))).id ?? ''
  const whole = idOf(await createUpload(program.url, content.length))
  const begun = idOf(await createUpload(program.url, content.length))
  expect((await patch(urlOf(begun), 0, content.subarray(0, 4_000))).status).toBe(204)
  await program.end('SIGKILL')
  await writeFile(layout.record(page), '{"id":')
  await writeFile(layout.incomingFile(whole), content)
  await writeFile(layout.incomingFile('orphan'), 'bytes')
  await writeFile(layout.journal('finished-before'), 'journal')
  for (const id of ['adopted', 'adopted-in-part']) {
    await writeFile(path.join(folder.path, id), content.subarray(0, 3_000))
    await writeFile(path.join(folder.path, `${id}.json`), describeForFileStore(id, content.length))
  }
  return { page, whole, begun }
}

/** Expects that all uploads are intact, and that orphaned bytes are set aside. */
async function expectAllRight({ page, whole, begun }: Awaited<ReturnType<typeof leaveRemains>>): Promise<void> {
  for (const id of ['adopted', 'adopted-in-part']) {
    expect([id, await offsetOf(urlOf(id))]).toEqual([id, 3_000])
    expect((await patch(urlOf(id), 3_000, content.subarray(3_000))).status).toBe(204)
    expect(Buffer.from(await (await fetch(urlOf(id))).arrayBuffer()).equals(content)).toBe(true)
  }
  expect(await offsetOf(urlOf(whole))).toBe(content.length)
  expect((await patch(urlOf(begun), 4_000, content.subarray(4_000))).status).toBe(204)
  for (const chunk of [0, 1, 2]) {
    const answer = await sendChunk(program.url, file.fields(chunk), file.bytes(chunk))
    // The orphaned bytes do not count.
    const received = Math.min(4_000 * (chunk + 1), content.length)
    expect(await answerOf(answer)).toMatchObject({ id: page, received, finished: chunk === 2 })
  }
  expect((await complete(program.url, { task_id: String(file.common.task_id) })).status).toBe(200)
  for (const id of [page, whole, begun]) {
    expect(Buffer.from(await (await fetch(urlOf(id))).arrayBuffer()).equals(content)).toBe(true)
  }
  expect((await head(urlOf('orphan'))).status).toBeGreaterThanOrEqual(400)
}

async function expectClean(): Promise<void> {
  await until(async () => (await readdir(layout.quarantine)).filter((name) => !name.includes('.json')).length === 2)
  await until(async () => (await readdir(layout.journals)).length === 0)
  const aside = (await readdir(layout.quarantine)).find((name) => name.startsWith('orphan')) ?? ''
  expect(await readFile(path.join(layout.quarantine, aside), 'utf8')).toBe('bytes')
  expect((await readdir(folder.path)).filter((name) => name.includes('adopted'))).toEqual([])
}

/** Writes many unfinished uploads directly: through the program, this would take a minute. */
async function addMany(): Promise<void> {
  const mark = { boot: bootId(), synced: 0 }
  for (let i = 0; i < 256; i++)
    await mkdir(path.join(layout.records, i.toString(16).padStart(2, '0')), { recursive: true })
  for (let i = 0; i < MANY; i++) {
    const id = `${(i % 256).toString(16).padStart(2, '0')}-many-${i}`
    const line = JSON.stringify({ id, length: 10, metadata: {}, fileName: 'a', createdAt: '', mark })
    writeFileSync(layout.record(id), `${line}\n${crc32(line).toString(16)}\n`)
    writeFileSync(layout.incomingFile(id), 'hello')
  }
}

describe('A start', () => {
  it.each<RecoveryStep>([
    'recover:aside',
    'recover:record',
    'recover:journal',
    'adopt:record',
    'adopt:bytes',
    'adopt:done',
  ])('repairs the folder after an earlier start was killed at the step %s', async (step) => {
    const ids = await leaveRemains()
    await expect(start({ STOP_AT: step }, STOPPABLE)).rejects.toThrow('The program ended with null')
    await start()
    await expectAllRight(ids)
    await expectClean()
  })

  it(
    'waits for none of very many uploads, and repairs each on first use',
    async () => {
      const ids = await leaveRemains()
      await addMany()
      await start()
      await expectAllRight(ids)
      const many = urlOf('00-many-0')
      expect(await offsetOf(many)).toBe(5)
      expect((await fetch(many, { method: 'DELETE', headers: TUS })).status).toBe(204)
      expect((await patch(urlOf('01-many-1'), 5, Buffer.from('world'))).status).toBe(204)
      expect(await (await fetch(urlOf('01-many-1'))).text()).toBe('helloworld')
      await program.end('SIGKILL')
      await start()
      await expectClean()
      expect((await stat(layout.incomingFile('02-many-2'))).size).toBe(5)
    },
    MINUTE,
  )
})
