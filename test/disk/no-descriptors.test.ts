import { spawnSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { openFiles } from '../support/open-files.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, patch } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'
import { expectDownload, sendRest } from './client-operations.ts'

const CLIENTS = 40
const SIZE = 1024 * 1024
/** How many descriptors are left for all of the clients. */
const LEFT = 30

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  program = await startProgram({ DATA_DIR: folder.path })
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

function limitDescriptors(most: number | string): void {
  const { status } = spawnSync('prlimit', ['--pid', String(program.process.pid), `--nofile=${most}:`])
  expect(status).toBe(0)
}

async function inUse(): Promise<number> {
  return (await readdir(`/proc/${program.process.pid}/fd`)).length
}

describe('A program with too few descriptors for its clients', () => {
  it('refuses some of them, and serves all when there are enough again', async () => {
    const contents = Array.from({ length: CLIENTS }, (_, i) => bytesOf(SIZE, i))
    const urls: string[] = []
    for (const _ of contents) urls.push(await createUpload(program.url, SIZE))
    const files = contents.map((content, i) => cut(content, SIZE / 4, { task_id: `wu_task_of_client_${i}` }))
    limitDescriptors((await inUse()) + LEFT)
    const attempts = contents.flatMap((content, i) => [
      patch(urls[i] ?? '', 0, content),
      ...(files[i] === undefined ? [] : [sendChunk(program.url, files[i].fields(0), files[i].bytes(0))]),
    ])
    const outcomes = await Promise.allSettled(attempts)
    // A connection that cannot be accepted is closed; clients with a connection receive an error.
    const reported = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.status] : []))
    expect(reported.length).toBeLessThan(attempts.length)
    for (const status of reported) expect([200, 204, 409, 503]).toContain(status)
    limitDescriptors(4096)
    for (const [i, content] of contents.entries()) {
      await sendRest(urls[i] ?? '', content)
      const file = files[i] ?? cut(content, SIZE)
      let last = await land(program.url, file, 0)
      for (let chunk = 1; chunk < file.count; chunk++) last = await land(program.url, file, chunk)
      await expectDownload(new URL(last.url, program.url).href, content)
    }
    await until(async () => (await openFiles(program.process.pid, folder.path)).length === 0)
  })
})
