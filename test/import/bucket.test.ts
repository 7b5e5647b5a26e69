import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { engineSettings } from '../support/engine-settings.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startServiceOn } from '../support/service.ts'
import { offsetOf, patch } from '../support/tus.ts'
import { runImportWith } from './support.ts'

const RECORDED = fileURLToPath(new URL('tusd-2.9.2', import.meta.url))

let engine: S3Engine
let folder: TemporaryFolder
let dataDir: string
beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine.stop())
beforeEach(async () => {
  folder = await temporaryFolder()
  dataDir = path.join(folder.path, 'data')
})
afterEach(() => folder.dispose())

describe('landfall import with STORE=s3', () => {
  it('brings uploads of tusd into the bucket, where clients resume', async () => {
    const settings = engineSettings(engine.location)
    const dry = await runImportWith(settings, dataDir, 'tusd', RECORDED, '--dry-run')
    expect(dry.lines.at(-1)).toBe('Would import: 6 finished, 4 unfinished. Already imported: 0. Not imported: 1.')
    const imported = await runImportWith(settings, dataDir, 'tusd', RECORDED)
    expect(imported.lines.at(-1)).toBe('Imported: 6 finished, 4 unfinished. Already imported: 0. Not imported: 1.')
    const again = await runImportWith(settings, dataDir, 'tusd', RECORDED)
    expect(again.lines.at(-1)).toBe('Imported: 0 finished, 0 unfinished. Already imported: 10. Not imported: 1.')
    const service = await startServiceOn(dataDir, settings)
    const urlOf = (id: string): string => `${service.url}/files/${id}`
    for (const [id, offset] of Object.entries({ begun: 6, deferred: 3, part1: 6, untouched: 0 }))
      expect([id, await offsetOf(urlOf(id))]).toEqual([id, offset])
    for (const [id, content] of Object.entries({ finished: 'hello world', joined: 'hello world', empty: '' }))
      expect([id, await (await fetch(urlOf(id))).text()]).toEqual([id, content])
    expect((await patch(urlOf('begun'), 6, Buffer.from('world'))).status).toBe(204)
    expect(await (await fetch(urlOf('begun'))).text()).toHaveLength(11)
    await service.close()
  })

  it('makes files of chunks', async () => {
    const content = bytesOf(2_500)
    const source = path.join(folder.path, 'upload')
    await mkdir(source)
    for (let chunk = 0; chunk < 3; chunk++)
      await writeFile(path.join(source, `a${chunk}`), content.subarray(chunk * 1_000, (chunk + 1) * 1_000))
    const list = path.join(folder.path, 'list')
    await writeFile(list, 'task_id,name,chunks\na,a.bin,3\n')
    const settings = { ...engineSettings(engine.location), S3_PREFIX: 'chunks/.landfall/' }
    const { code, lines } = await runImportWith(settings, dataDir, 'chunks', source, '--list', list)
    expect(code).toBe(0)
    const [, id = ''] = /now ([0-9a-f]{32})$/.exec(lines[0] ?? '') ?? []
    const service = await startServiceOn(dataDir, settings)
    const file = await fetch(`${service.url}/files/${id}`)
    expect(Buffer.from(await file.arrayBuffer()).equals(content)).toBe(true)
    await service.close()
    expect(await readdir(source)).toEqual(['a0', 'a1', 'a2'])
  })
})
