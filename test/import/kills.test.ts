import { spawnSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { ImportStep } from '../../server/disk/environment.ts'
import { doctor } from '../../server/doctor.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { startServiceOn } from '../support/service.ts'
import { offsetOf } from '../support/tus.ts'
import { contentOf, runImport } from './support.ts'

const RECORDED = fileURLToPath(new URL('tusd-2.9.2', import.meta.url))
const STOPPABLE = fileURLToPath(new URL('program-with-stops.mjs', import.meta.url))

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

describe('An import that is killed', () => {
  it.each<[ImportStep, number]>([
    ['import:copied', 1],
    ['import:copied', 6],
    ['import:bytes', 2],
    ['import:bytes', 7],
    ['import:record', 1],
    ['import:record', 4],
    ['import:record', 9],
    ['import:done', 5],
  ])('at %s, occurrence %d, is completed by the next', async (step, count) => {
    const before = await contentOf(RECORDED)
    const dataDir = path.join(folder.path, 'data')
    const { signal } = spawnSync(process.execPath, [STOPPABLE, 'tusd', RECORDED], {
      env: { DATA_DIR: dataDir, STOP_AT: step, STOP_COUNT: String(count) },
      stdio: 'inherit',
    })
    expect(signal).toBe('SIGKILL')
    await runImport(dataDir, 'tusd', RECORDED)
    const service = await startServiceOn(dataDir)
    const offsets = { begun: 6, untouched: 0, deferred: 3, part1: 6, part2: 5, part3: 3 }
    for (const [id, offset] of Object.entries(offsets)) {
      expect([id, await offsetOf(`${service.url}/files/${id}`)]).toEqual([id, offset])
    }
    const contents = { finished: 'hello world', joined: 'hello world', placed: 'hello', empty: '' }
    for (const [id, content] of Object.entries(contents)) {
      expect([id, await (await fetch(`${service.url}/files/${id}`)).text()]).toEqual([id, content])
    }
    await service.close()
    expect((await readdir(path.join(dataDir, 'incoming'))).sort()).toEqual(Object.keys(offsets).sort())
    expect(await doctor({}, ['--data-dir', dataDir], () => undefined)).toBe(0)
    expect(await contentOf(RECORDED)).toEqual(before)
  })
})
