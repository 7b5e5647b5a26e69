import { truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../../support/folder.ts'
import { type Nginx, startNginx } from '../../support/nginx.ts'
import { type Program, startProgram } from '../../support/program.ts'
import { createUpload, head, patch, TUS } from '../../support/tus.ts'
import { type StartVictim, victims } from './victims.ts'

/** How often each client dies for each gap; `npm run head-race` sets 50, and reports the results. */
const { HEAD_RACE_RUNS } = process.env
const RUNS = Number(HEAD_RACE_RUNS ?? 2)
const GAPS = [0, 20, 100]
/** More than a client sends before it dies, in bytes. */
const SIZE = 4 * 1024 ** 3
const NEXT = Buffer.alloc(1000)

let folder: TemporaryFolder
let file: string
let program: Program
let nginx: Nginx
beforeAll(async () => {
  folder = await temporaryFolder()
  file = path.join(folder.path, 'zeros')
  await writeFile(file, '')
  await truncate(file, SIZE)
  program = await startProgram({ DATA_DIR: path.join(folder.path, 'data'), SYNC: 'never' })
  nginx = await startNginx(program.url)
})
afterAll(async () => {
  await nginx.close()
  await program.end('SIGTERM')
  await folder.dispose()
})

/** The results of resuming after dead clients. */
interface Tally {
  /** PATCHes at the offset that HEAD returned that were refused. */
  stale: number
  /** Offsets that HEAD returned before all bytes of the dead client counted. On a busy host, some are. */
  early: number
}

/** A client dies inside a PATCH; `gap` milliseconds later, the next one sends HEAD and resumes at once. */
async function succeed(start: StartVictim, base: string, gap: number, run: number, tally: Tally): Promise<void> {
  const url = await createUpload(base, SIZE)
  const victim = await start(url, SIZE)
  await pause(10 + ((run * 7) % 40))
  await victim.kill()
  if (gap > 0) await pause(gap)
  const reported = await head(url)
  expect(reported.status).toBe(200)
  const offset = Number(reported.headers.get('Upload-Offset'))
  const next = await patch(url, offset, NEXT)
  if (next.status !== 204) tally.stale += 1
  if (next.headers.get('Upload-Offset') !== String(offset + NEXT.length)) tally.early += 1
  await victim.gone
  expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
}

describe.each([
  ['directly', () => program.url],
  ['through nginx', () => nginx.url],
])('A client that dies inside a PATCH %s', (place, base) => {
  for (const name of Object.keys(victims(''))) {
    it.each(GAPS)(`leaves an offset at which the next one resumes: ${name}, HEAD after %d ms`, async (gap) => {
      const start = victims(file)[name]
      if (start === undefined) throw new Error(name)
      const tally: Tally = { stale: 0, early: 0 }
      for (let run = 0; run < RUNS; run++) await succeed(start, base(), gap, run, tally)
      if (HEAD_RACE_RUNS !== undefined) console.log(place, name, gap, RUNS, tally)
      expect(tally.stale).toBe(0)
    })
  }
})
