import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { confirmedLine, eventLine, foreignLine, writeSegment } from '../support/outbox-files.ts'
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
  await writeSegment(folder.path, lines)
  program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings })
}

describe('A line of the outbox', () => {
  it.each([
    ['marks of another form', foreignLine('m {"c":5}')],
    ['an event of another form', foreignLine('i 7 {"id":5}')],
    ['text that is not JSON', foreignLine('i 8 {')],
    ['an event with an index that is taken', foreignLine('i 0 {"id":5}')],
    ['another kind of line', foreignLine('x 1')],
  ])('is skipped if another version has written it: %s', async (_, foreign) => {
    await startWith([eventLine(0), foreign, eventLine(1), confirmedLine(0, 1)])
    await createUpload(program.url, 0)
    await receiver.count(3)
    expect(uploads(2)).toEqual(['id0', 'id1'])
    expect(program.errors()).toContain('has a line that another version has written')
  })

  it('is left out with a notice if it is damaged', async () => {
    const damaged = eventLine(1)
    damaged[60] = 0x20
    await startWith([eventLine(0), damaged, eventLine(2), confirmedLine(0, 1, 2)])
    await createUpload(program.url, 0)
    await receiver.count(3)
    expect(uploads(2)).toEqual(['id0', 'id2'])
    expect(program.errors()).toContain('has damaged lines')
  })

  it('is left out without a notice if it is the end that a crash has torn', async () => {
    await startWith([eventLine(0), confirmedLine(0), eventLine(1).subarray(0, -20)])
    await createUpload(program.url, 0)
    await receiver.count(2)
    expect(receiver.deliveries[0]?.upload).toBe('id0')
    expect(program.errors()).toBe('')
  })
})

/** The uploads of the first events, sorted: those of several uploads arrive in any order. */
function uploads(count: number): readonly string[] {
  return receiver.deliveries
    .map(({ upload }) => upload)
    .filter((upload) => upload.startsWith('id'))
    .slice(0, count)
    .sort()
}
