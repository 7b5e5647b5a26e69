import { expect, it } from '@jest/globals'
import { UploadModel } from './model.ts'
import { EXPIRES_AFTER, Sweeps } from './sweeps.ts'

it('The model takes a final upload to be as old as the first request for it', () => {
  const final = new UploadModel('file 1.bin', Buffer.alloc(10), 'acknowledged', { kind: 'final', parts: [] })
  const sweeps = new Sweeps()
  sweeps.begin(true)
  final.askedFor(Date.now() - EXPIRES_AFTER * 1000)
  final.askedFor(Date.now())
  expect(final.mayHaveExpired(sweeps)).toBe(true)
})
