import { describe, expect, test } from '@jest/globals'
import { knownDate } from '../../legacy-adapter/fields.ts'
import {
  type Candidate,
  chunksToSkip,
  type Decision,
  decide,
  type SenderState,
} from '../../legacy-adapter/which-upload.ts'

const HALF: Candidate = {
  id: 'half',
  own: true,
  knowsSender: false,
  finished: false,
  contested: false,
  atRest: true,
  chunks: [{ start: 0, end: 3 }],
  modified: 1000,
  fed: 1,
}
const REJECTED: SenderState = { rejected: { byLaterChunk: true, last: 9_000 } }

describe('A chunk', () => {
  test.each<[string, readonly Partial<Candidate>[], SenderState, number, boolean, Decision]>([
    [
      'of a known sender goes to its upload',
      [{ knowsSender: true, atRest: false }],
      {},
      3,
      true,
      { kind: 'use', id: 'half' },
    ],
    [
      'prefers an upload of its own visitor',
      [{ knowsSender: true, own: false, id: 'open' }, { knowsSender: true }],
      {},
      1,
      false,
      { kind: 'use', id: 'half' },
    ],
    ['joins an upload at rest', [{}], {}, 0, true, { kind: 'prove', id: 'half' }],
    ['joins the upload that was fed last', [{}, { id: 'later', fed: 2 }], {}, 0, false, { kind: 'prove', id: 'later' }],
    ['does not join an upload in flight', [{ atRest: false }], {}, 0, false, { kind: 'create' }],
    ['does not join a contested upload', [{ contested: true }], {}, 0, false, { kind: 'create' }],
    ['does not join an upload without chunk 0', [{ chunks: [{ start: 1, end: 3 }] }], {}, 0, false, { kind: 'create' }],
    ['does not join an upload of another date', [{ modified: 2000 }], {}, 0, false, { kind: 'create' }],
    ['joins an upload of unknown date', [{ modified: undefined }], {}, 0, false, { kind: 'prove', id: 'half' }],
    ['does not join a finished upload', [{ finished: true }], {}, 0, false, { kind: 'create' }],
    ['does not join an upload that was begun without a cookie', [{ own: false }], {}, 0, false, { kind: 'create' }],
    ['is refused when its page may have skipped chunks', [], {}, 0, true, { kind: 'wrongly_skipped' }],
    ['is refused after a later chunk differed', [{}], REJECTED, 0, false, { kind: 'content_differs' }],
    [
      'starts a new upload when its sender was quiet',
      [{}],
      { rejected: { byLaterChunk: true, last: 1_000 } },
      0,
      false,
      { kind: 'create' },
    ],
    [
      'waits for chunk 0 of a rejected sender',
      [{}],
      { rejected: { byLaterChunk: false, last: 9_900 } },
      2,
      false,
      { kind: 'wait' },
    ],
  ])('%s', (_, candidates, sender, chunk, skips, decision) => {
    const all = candidates.map((candidate) => ({ ...HALF, ...candidate }))
    expect(decide({ chunk, modified: 1000 }, all, sender, skips, 10_000)).toEqual(decision)
  })
})

test('A check lists the chunks that all uploads have, except chunk 0', () => {
  const other = {
    ...HALF,
    chunks: [
      { start: 0, end: 2 },
      { start: 4, end: 5 },
    ],
  }
  expect(chunksToSkip([])).toEqual([])
  expect(chunksToSkip([HALF])).toEqual([{ start: 1, end: 3 }])
  expect(chunksToSkip([HALF, other])).toEqual([{ start: 1, end: 2 }])
  expect(chunksToSkip([HALF, { ...other, atRest: false }])).toEqual([])
})

test.each([
  ['Mon Nov 23 2026 15:36:49 GMT+0800 (中国标准时间)', Date.UTC(2026, 10, 23, 7, 36, 49)],
  ['Mon Nov 23 2026 07:36:49 GMT+0000', Date.UTC(2026, 10, 23, 7, 36, 49)],
  ['2026/11/23 16:02:13', undefined],
  ['2026-11-23T07:36:49Z', undefined],
  ['Invalid Date', undefined],
  ['', undefined],
  [undefined, undefined],
])('The date %j is parsed as %d', (text, instant) => {
  expect(knownDate(text)).toBe(instant)
})
