import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { intentLine, marksLine } from '../../server/outbox/lines.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { createUpload } from '../support/tus.ts'

let folder: TemporaryFolder
let receiver: Receiver
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await receiver.close()
  await folder.dispose()
})

/** Starts on an outbox with these lines in one file. */
async function startWith(lines: readonly Buffer[]): Promise<void> {
  const { outbox } = new Layout(folder.path)
  await mkdir(outbox)
  await writeFile(path.join(outbox, '000000000001.log'), Buffer.concat(lines))
  program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings })
}

function line(text: string): Buffer {
  return Buffer.from(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`)
}

/** An event of which nothing is delivered yet. */
function event(index: number): Buffer {
  const upload = `id${index}`
  const body = { type: 'upload.finished', data: { id: upload } }
  const id = `evt_${String(index).padStart(32, '0')}`
  return intentLine(index, {
    id,
    type: 'finished',
    upload,
    createdAt: '2026-11-23T00:00:00.000Z',
    at: Date.now(),
    body,
  })
}

function confirmed(...indexes: readonly number[]): Buffer {
  return marksLine({ confirmed: indexes.map((index) => `1.${index}`), over: [], delivered: new Map() })
}

describe('A line of the outbox', () => {
  it.each([
    ['marks of another form', line('m {"c":5}')],
    ['an event of another form', line('i 7 {"id":5}')],
    ['text that is not JSON', line('i 8 {')],
    ['an event with an index that is taken', line('i 0 {"id":5}')],
    ['another kind of line', line('x 1')],
  ])('is skipped if another version has written it: %s', async (_, foreign) => {
    await startWith([event(0), foreign, event(1), confirmed(0, 1)])
    await createUpload(program.url, 0)
    await receiver.count(3)
    expect(receiver.deliveries.slice(0, 2).map(({ upload }) => upload)).toEqual(['id0', 'id1'])
    expect(program.errors()).toContain('has a line that another version has written')
  })

  it('is left out with a notice if it is damaged', async () => {
    const damaged = event(1)
    damaged[60] = 0x20
    await startWith([event(0), damaged, event(2), confirmed(0, 1, 2)])
    await createUpload(program.url, 0)
    await receiver.count(3)
    expect(receiver.deliveries.slice(0, 2).map(({ upload }) => upload)).toEqual(['id0', 'id2'])
    expect(program.errors()).toContain('has damaged lines')
  })

  it('is left out without a notice if it is the end that a crash has torn', async () => {
    await startWith([event(0), confirmed(0), event(1).subarray(0, -20)])
    await createUpload(program.url, 0)
    await receiver.count(2)
    expect(receiver.deliveries[0]?.upload).toBe('id0')
    expect(program.errors()).toBe('')
  })
})
