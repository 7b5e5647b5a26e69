import { stat } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { exists } from '../../server/disk/files.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { confirmedLine, eventLine, firstSegment, writeSegment } from '../support/outbox-files.ts'
import { type Program, startProgram } from '../support/program.ts'
import { accept, answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { until } from '../support/wire.ts'

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

async function start(): Promise<void> {
  program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings })
}

/** Writes an outbox with so many true events. */
async function write(events: number, uploadOf?: (index: number) => string): Promise<void> {
  const indexes = Array.from({ length: events }, (_, i) => i)
  const lines = indexes.map((index) => eventLine(index, uploadOf?.(index)))
  await writeSegment(folder.path, [...lines, confirmedLine(...indexes)])
}

describe('An outbox', () => {
  it('removes a file when all its events are delivered', async () => {
    await write(200)
    await start()
    await receiver.count(200)
    await until(async () => !(await exists(firstSegment(folder.path))))
    await program.end('SIGKILL')
    await start()
    await program.end('SIGTERM')
    expect(receiver.deliveries).toHaveLength(200)
  })

  it('keeps an event that is not accepted when it makes a file shorter', async () => {
    await write(200)
    receiver.answer((response, { upload }) => (upload === 'id7' ? answerWith(500)(response) : accept(response)))
    const { size } = await stat(firstSegment(folder.path))
    await start()
    await receiver.count(200)
    // Up to 8 events stay with it: a file that has fewer than 8 for each undelivered one is not made shorter again.
    await until(async () => (await stat(firstSegment(folder.path))).size < size / 10)
    await program.end('SIGKILL')
    await start()
    await receiver.count(201)
    expect(receiver.deliveries[200]?.upload).toBe('id7')
  })

  it('delivers more events than it has in memory, each once, those of an upload in order', async () => {
    await write(12_000, (index) => `id${index % 100}`)
    await start()
    await receiver.count(12_000)
    const last = new Map<string, number>()
    for (const { upload, type } of receiver.deliveries) {
      const index = Number(type.slice('upload.'.length))
      expect(index).toBeGreaterThan(last.get(upload) ?? -1)
      last.set(upload, index)
    }
    expect(last.size).toBe(100)
  })

  it('delivers the other events while one upload has to wait', async () => {
    await write(600, (index) => (index < 500 ? 'id0' : 'id1'))
    receiver.answer((response, { upload }) => (upload === 'id0' ? answerWith(500)(response) : accept(response)))
    await start()
    await until(async () => receiver.deliveries.filter(({ upload }) => upload === 'id1').length === 100)
    expect(receiver.deliveries.filter(({ upload }) => upload === 'id0')).toHaveLength(1)
  })
})
