import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { doctor } from '../../server/doctor.ts'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, idOf, offsetOf, patch } from '../support/tus.ts'
import { cut } from '../support/webuploader.ts'

const SCRIPT = fileURLToPath(new URL('../../deploy/backup/backup.sh', import.meta.url))
const content = bytesOf(3_000_000)
const HALF = 1_500_000
const CHUNK = 1_000_000

let folder: TemporaryFolder
let programs: Program[]
beforeAll(async () => {
  folder = await temporaryFolder()
  programs = []
})
afterAll(async () => {
  await Promise.all(programs.map((program) => program.end('SIGKILL')))
  await folder.dispose()
})

async function begin(name: string): Promise<Program> {
  const program = await startProgram({ DATA_DIR: path.join(folder.path, name) })
  programs.push(program)
  return program
}

const backUp = (to: string) => promisify(execFile)(SCRIPT, [`${folder.path}/data`, `${folder.path}/${to}`])

async function finished(base: string, bytes: Buffer<ArrayBuffer>): Promise<string> {
  const url = await createUpload(base, bytes.length)
  expect((await patch(url, 0, bytes)).status).toBe(204)
  return url
}

describe('A backup of a running service', () => {
  it('has everything of before its start; uploads resume from it, whatever happened meanwhile', async () => {
    const service = await begin('data')
    const file = cut(content, CHUNK, { task_id: 'wu_backup' })
    await land(service.url, file, 1)
    const open = await createUpload(service.url, content.length)
    await patch(open, 0, content.subarray(0, HALF))
    const before = await finished(service.url, content)

    // An earlier copy, which has to change.
    await backUp('copy')
    await patch(open, HALF, content.subarray(HALF, HALF + 1000))
    const removed = await finished(service.url, content.subarray(0, 1000))
    await backUp('copy')
    expect((await fetch(removed, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })).status).toBe(204)

    // Uploads begin, continue, and end while it copies.
    let isCopied = false
    const during: string[] = []
    const load = async (): Promise<void> => {
      while (!isCopied) during.push(await finished(service.url, content.subarray(0, 200_000)))
    }
    const loads = Promise.all([load(), load(), load()])
    for (let i = 0; i < 3; i++) await backUp('copy')
    isCopied = true
    await loads
    await service.end('SIGKILL')

    const found: string[] = []
    await doctor({}, ['--data-dir', path.join(folder.path, 'copy'), '--repair'], (line) => found.push(line))
    // Of uploads that began or were finished during the copy, if any.
    expect(found.filter((line) => !/A record without bytes\.|A directory without its file\./.test(line))).toEqual([
      expect.stringContaining('Left: 0.'),
    ])
    const restored = await begin('copy')
    const at = (url: string): string => `${restored.url}/files/${idOf(url)}`
    expect(Buffer.from(await (await fetch(at(before))).arrayBuffer()).equals(content)).toBe(true)
    expect((await fetch(at(removed))).status).toBe(410)
    expect(await offsetOf(at(open))).toBe(HALF + 1000)
    expect((await patch(at(open), HALF + 1000, content.subarray(HALF + 1000))).status).toBe(204)
    expect(Buffer.from(await (await fetch(at(open))).arrayBuffer()).equals(content)).toBe(true)
    for (const chunk of [0, 2]) await land(restored.url, file, chunk)
    expect(await land(restored.url, file, 1)).toMatchObject({ finished: true })
    // The last ones may have come too late, or may be copied in part, but never wrongly.
    const statuses = new Set<number>()
    for (const url of during) {
      const response = await fetch(at(url))
      statuses.add(response.status)
      const bytes = Buffer.from(await response.arrayBuffer())
      if (response.status === 200) expect(bytes.equals(content.subarray(0, 200_000))).toBe(true)
    }
    expect(statuses.has(200)).toBe(true)
    expect([...statuses].filter((status) => ![200, 404, 409, 410].includes(status))).toEqual([])
  })

  it('says when it was complete', async () => {
    expect(await readdir(path.join(folder.path, 'copy'))).toContain('complete')
  })
})
