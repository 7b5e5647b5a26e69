import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { doctor } from '../../server/doctor.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { confirmedLine, eventLine, firstSegment, foreignLine, writeSegment } from '../support/outbox-files.ts'
import { startProgram } from '../support/program.ts'
import { until } from '../support/wire.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await folder.dispose()
})

async function examine(...flags: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = []
  const code = await doctor({}, ['--data-dir', folder.path, ...flags], (line) => lines.push(line))
  return { code, lines }
}

describe('landfall doctor', () => {
  it('finds no problem in an outbox with a torn end', async () => {
    await writeSegment(folder.path, [eventLine(0), confirmedLine(0), eventLine(1).subarray(0, 50)])
    expect(await examine()).toEqual({ code: 0, lines: ['No problems found.'] })
    await appendFile(firstSegment(folder.path), '\n')
    expect(await examine()).toEqual({ code: 0, lines: ['No problems found.'] })
  })

  it('names damaged lines, those of other versions, and files that are not events', async () => {
    const damaged = eventLine(1)
    damaged[60] = 0x20
    await writeSegment(folder.path, [eventLine(0), damaged, foreignLine('x 1'), foreignLine('m 5'), eventLine(2)])
    const { outbox } = new Layout(folder.path)
    await writeFile(path.join(outbox, 'notes.txt'), '')
    await mkdir(path.join(outbox, 'dead'))
    await writeFile(path.join(outbox, 'dead', `evt_${'0'.repeat(32)}.0a1b.json`), '{}')
    const { code, lines } = await examine()
    expect(code).toBe(1)
    expect(lines.sort()).toEqual([
      'Found: 4. Repaired: 0. Left: 4.',
      'outbox/000000000001.log: Damaged lines: 1. Their events may be lost. Left unchanged.',
      'outbox/000000000001.log: Lines that another version has written: 2. They are not delivered. Left unchanged.',
      `outbox/dead/evt_${'0'.repeat(32)}.0a1b.json: A file that is not an event. Left unchanged.`,
      'outbox/notes.txt: A file that is not a part of the outbox. Left unchanged.',
    ])
  })

  it('removes what a crash has left of a file that was being written', async () => {
    await writeSegment(folder.path, [eventLine(0)])
    await writeFile(`${firstSegment(folder.path)}.tmp`, 'evt')
    expect((await examine('--repair')).code).toBe(0)
    expect(await examine()).toEqual({ code: 0, lines: ['No problems found.'] })
  })
})

describe('A start without WEBHOOK_URLS', () => {
  it('warns of events that were not delivered', async () => {
    await writeSegment(folder.path, [eventLine(0), eventLine(1), confirmedLine(0, 1)])
    const program = await startProgram({ DATA_DIR: folder.path })
    await until(async () => program.errors().includes('Undelivered events'))
    expect(program.errors()).toMatch(/outbox: 2\. Without WEBHOOK_URLS, they stay\./)
    await program.end('SIGTERM')
  })

  it('says nothing if there are none', async () => {
    const program = await startProgram({ DATA_DIR: folder.path })
    await program.end('SIGTERM')
    expect(program.errors()).toBe('')
  })
})
