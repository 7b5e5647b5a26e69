import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { peakMemory } from '../support/memory.ts'
import { confirmedLineOf, eventLine, writeSegment } from '../support/outbox-files.ts'
import { type Program, startProgram } from '../support/program.ts'
import { accept, type Receiver, startReceiver } from '../support/receiver.ts'

const EVENTS = 100_000
const SEGMENTS = 50
const IN_SEGMENT = EVENTS / SEGMENTS
/** MiB. */
const MOST_AT_START = 150
const MOST = 250

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

/** Writes an outbox of which nothing is delivered. Each event is as long as usual, and has its own upload. */
async function writeEvents(): Promise<void> {
  const indexes = Array.from({ length: IN_SEGMENT }, (_, i) => i)
  for (let segment = 1; segment <= SEGMENTS; segment += 1) {
    const lines = indexes.map((index) => eventLine(index, `${segment}-${index}`.padEnd(300, '-')))
    await writeSegment(folder.path, [...lines, confirmedLineOf(segment, indexes)], segment)
  }
}

describe('An outbox of 100,000 events', () => {
  it('costs little memory at the start, and its events are sent in order', async () => {
    await writeEvents()
    const held: (() => void)[] = []
    receiver.answer((response) => void held.push(() => accept(response)))
    program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings })
    expect((await fetch(`${program.url}/healthz`)).status).toBe(200)
    await receiver.count(1)
    expect(await peakMemory(program.process)).toBeLessThan(MOST_AT_START)
    receiver.answer(accept)
    for (const answer of held) answer()
    await receiver.count(EVENTS / 20)
    expect(await peakMemory(program.process)).toBeLessThan(MOST)
    const first = receiver.deliveries.slice(0, IN_SEGMENT / 2)
    for (const { upload } of first) expect(upload).toMatch(/^[12]-/)
  }, 120_000)
})
