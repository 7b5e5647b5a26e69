import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from '@jest/globals'
import { Segment } from '../../server/outbox/segment.ts'
import { temporaryFolder } from '../support/folder.ts'

it('A segment is read whole although its compaction ends meanwhile', async () => {
  const folder = await temporaryFolder()
  const segment = new Segment(1, path.join(folder.path, '1.log'))
  await writeFile(segment.path, 'first line\nlast line\n')
  segment.size = 21
  const reading = segment.bytes()
  segment.size = 11
  expect(String(await reading)).toBe('first line\nlast line\n')
  await folder.dispose()
})
