import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Conditions, evaluate, type Verdict } from '../../server/download/conditions.ts'

const etag = '"an-id-10"'
const validators = { etag, lastModified: new Date('2026-11-23T08:09:10.567Z') }
const before = 'Mon, 23 Nov 2026 08:09:09 GMT'
const exactly = 'Mon, 23 Nov 2026 08:09:10 GMT'
const after = 'Mon, 23 Nov 2026 08:09:11 GMT'

type Case = [situation: string, conditions: Conditions, verdict: Verdict]

const cases = {
  'A request without conditions': [['any file', {}, 'send']],

  'If-None-Match': [
    ['the tag', { ifNoneMatch: etag }, 'not_modified'],
    ['the weak tag', { ifNoneMatch: `W/${etag}` }, 'not_modified'],
    ['another tag', { ifNoneMatch: '"other"' }, 'send'],
    ['the tag in a list', { ifNoneMatch: `"other", ${etag}` }, 'not_modified'],
    ['the tag in a list without spaces', { ifNoneMatch: `"other",W/${etag},"third"` }, 'not_modified'],
    ['a list without the tag', { ifNoneMatch: '"other", "third"' }, 'send'],
    ['the tag with a comma before it inside another', { ifNoneMatch: `"a,b",${etag}` }, 'not_modified'],
    ['the tag inside another', { ifNoneMatch: '"x,an-id-10"' }, 'send'],
    ['the star', { ifNoneMatch: '*' }, 'not_modified'],
    ['the tag without quotes', { ifNoneMatch: 'an-id-10' }, 'send'],
  ],

  'If-Modified-Since': [
    ['the same second', { ifModifiedSince: exactly }, 'not_modified'],
    ['a later second', { ifModifiedSince: after }, 'not_modified'],
    ['an earlier second', { ifModifiedSince: before }, 'send'],
    ['the format of RFC 850', { ifModifiedSince: 'Monday, 23-Nov-26 08:09:10 GMT' }, 'not_modified'],
    ['the format of asctime', { ifModifiedSince: 'Mon Nov 23 08:09:10 2026' }, 'not_modified'],
    ['the format of asctime, too early', { ifModifiedSince: 'Mon Nov  3 08:09:10 2026' }, 'send'],
    ['an invalid date', { ifModifiedSince: '2099' }, 'send'],
    ['a date of ISO 8601', { ifModifiedSince: '2099-01-01T00:00:00Z' }, 'send'],
    ['an invalid time', { ifModifiedSince: 'Mon, 23 Nov 2099 88:09:10 GMT' }, 'send'],
    ['a match that a different tag overrules', { ifModifiedSince: after, ifNoneMatch: '"other"' }, 'send'],
    ['a difference that the tag overrules', { ifModifiedSince: before, ifNoneMatch: etag }, 'not_modified'],
  ],

  'If-Match': [
    ['the tag', { ifMatch: etag }, 'send'],
    ['the tag in a list', { ifMatch: `"other", ${etag}` }, 'send'],
    ['the star', { ifMatch: '*' }, 'send'],
    ['another tag', { ifMatch: '"other"' }, 'failed'],
    ['the weak tag, which never matches strongly', { ifMatch: `W/${etag}` }, 'failed'],
    ['a malformed tag', { ifMatch: 'an-id-10' }, 'failed'],
  ],

  'If-Unmodified-Since': [
    ['the same second', { ifUnmodifiedSince: exactly }, 'send'],
    ['a later second', { ifUnmodifiedSince: after }, 'send'],
    ['an earlier second', { ifUnmodifiedSince: before }, 'failed'],
    ['an invalid date', { ifUnmodifiedSince: 'yesterday' }, 'send'],
    ['a difference that the tag overrules', { ifUnmodifiedSince: before, ifMatch: etag }, 'send'],
    ['a match that a different tag overrules', { ifUnmodifiedSince: after, ifMatch: '"other"' }, 'failed'],
  ],

  'A combination of conditions': [
    ['a failed If-Match, whatever If-None-Match says', { ifMatch: '"other"', ifNoneMatch: etag }, 'failed'],
    ['an If-Match that holds, if the client has the file', { ifMatch: etag, ifNoneMatch: etag }, 'not_modified'],
    ['an unmodified file that the client has', { ifUnmodifiedSince: after, ifModifiedSince: exactly }, 'not_modified'],
    ['a modified file that the client has', { ifUnmodifiedSince: before, ifNoneMatch: '*' }, 'failed'],
  ],
} satisfies Record<string, Case[]>

for (const [header, table] of Object.entries<Case[]>(cases)) {
  describe(header, () => {
    for (const [situation, conditions, verdict] of table) {
      it(`results in ${verdict} for ${situation}`, () => {
        expect(evaluate(conditions, validators)).toBe(verdict)
      })
    }
  })
}

describe('Any conditions', () => {
  /** A tag, or the star, and whether it names the file: strongly, weakly. */
  const tag = fc.constantFrom(
    { text: etag, strong: true, weak: true },
    { text: `W/${etag}`, strong: false, weak: true },
    { text: '"other"', strong: false, weak: false },
    { text: 'W/"other"', strong: false, weak: false },
    { text: '"a,b"', strong: false, weak: false },
    { text: '""', strong: false, weak: false },
  )
  const tags = fc.oneof(
    fc.constant({ text: '*', strong: true, weak: true }),
    fc.array(tag, { minLength: 1, maxLength: 4 }).chain((list) =>
      fc.constantFrom(',', ', ', ' ,\t').map((comma) => ({
        text: list.map(({ text }) => text).join(comma),
        strong: list.some(({ strong }) => strong),
        weak: list.some(({ weak }) => weak),
      })),
    ),
  )
  /** A date in one of the three forms, with its moment; or none. */
  const date = fc.oneof(
    fc.integer({ min: -2, max: 2 }).chain((seconds) => {
      const moment = new Date(Date.parse(exactly) + seconds * 1000)
      const [day = '', month = '', year = '', time = ''] = moment.toUTCString().slice(5).split(' ')
      return fc
        .constantFrom(
          moment.toUTCString(),
          `Monday, ${day}-${month}-${year.slice(2)} ${time} GMT`,
          `Mon ${month} ${day} ${time} ${year}`,
        )
        .map((text) => ({ text, seconds }))
    }),
    fc.string().map((text) => ({ text, seconds: undefined })),
  )
  const conditions = fc.record(
    { ifMatch: tags, ifUnmodifiedSince: date, ifNoneMatch: tags, ifModifiedSince: date },
    { requiredKeys: [] },
  )

  it('are evaluated in the order of RFC 9110 §13.2.2', () => {
    fc.assert(
      fc.property(conditions, ({ ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince }) => {
        const unmodified = ifUnmodifiedSince?.seconds ?? 0
        const modified = ifModifiedSince?.seconds ?? -1
        const passes = ifMatch === undefined ? unmodified >= 0 : ifMatch.strong
        const isNew = ifNoneMatch === undefined ? modified < 0 : !ifNoneMatch.weak
        const expected: Verdict = !passes ? 'failed' : isNew ? 'send' : 'not_modified'
        const asked = {
          ifMatch: ifMatch?.text,
          ifUnmodifiedSince: ifUnmodifiedSince?.text,
          ifNoneMatch: ifNoneMatch?.text,
          ifModifiedSince: ifModifiedSince?.text,
        }
        expect(evaluate(asked, validators)).toBe(expected)
      }),
      { numRuns: 1000 },
    )
  })
})
