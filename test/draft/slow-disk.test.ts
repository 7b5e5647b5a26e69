import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { append, beginAppend, connectWell, createUpload, expectComplete, stateOf } from '../support/draft.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProgram } from '../support/program.ts'
import { Random } from '../support/random.ts'

const MAIN = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))

const content = bytesOf(3_000_000)

it.each([1, 2])(
  'Offset retrieval at any moment of an append returns an offset that is accepted, and no byte is changed (seed %d)',
  async (seed) => {
    const folder = await temporaryFolder()
    const program = await startProgram({ DATA_DIR: folder.path, SLOW_DISK: 'yes' }, MAIN)
    try {
      const random = new Random(seed)
      const url = await createUpload(program.url)
      let offset = 0
      for (let i = 0; i < 12; i++) {
        const sending = await connectWell(program.url)
        const first = content.subarray(offset, offset + random.size(1, 200_000))
        const older = await beginAppend(url, offset, true, content.length - offset, first, {}, sending)
        // The position of the append is unknown at this moment, deliberately.
        await new Promise((resolve) => setTimeout(resolve, random.whole(0, 40)))
        const [reported] = await stateOf(url)
        offset = Number(reported)
        expect((await append(url, offset, false, content.subarray(offset, offset + 1000))).status).toBe(204)
        offset += 1000
        await older.cut()
      }
      expectComplete(await append(url, offset, true, content.subarray(offset)))
      expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content)).toBe(true)
    } finally {
      await program.end('SIGKILL')
      await folder.dispose()
    }
  },
)
