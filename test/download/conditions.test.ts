import { describe, expect, it } from '@jest/globals'
import { type Conditions, evaluate, type Verdict } from '../../server/download/conditions.ts'

const etag = '"an-id-10"'
const validators = { etag, lastModified: new Date('2026-11-23T08:09:10.567Z') }
const before = 'Mon, 23 Nov 2026 08:09:09 GMT'
const exactly = 'Mon, 23 Nov 2026 08:09:10 GMT'
const after = 'Mon, 23 Nov 2026 08:09:11 GMT'

type Case = [situation: string, conditions: Conditions, verdict: Verdict]

const cases = {
  'without conditions': [['nothing is asked', {}, 'send']],

  'If-None-Match': [
    ['the tag', { ifNoneMatch: etag }, 'not_modified'],
    ['the tag as a weak one', { ifNoneMatch: `W/${etag}` }, 'not_modified'],
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
    ['the very second', { ifModifiedSince: exactly }, 'not_modified'],
    ['a later second', { ifModifiedSince: after }, 'not_modified'],
    ['an earlier second', { ifModifiedSince: before }, 'send'],
    ['the form of RFC 850', { ifModifiedSince: 'Monday, 23-Nov-26 08:09:10 GMT' }, 'not_modified'],
    ['the form of asctime', { ifModifiedSince: 'Mon Nov 23 08:09:10 2026' }, 'not_modified'],
    ['the form of asctime, too early', { ifModifiedSince: 'Mon Nov  3 08:09:10 2026' }, 'send'],
    ['no date', { ifModifiedSince: '2099' }, 'send'],
    ['a date of ISO 8601', { ifModifiedSince: '2099-01-01T00:00:00Z' }, 'send'],
    ['a time that no clock shows', { ifModifiedSince: 'Mon, 23 Nov 2099 88:09:10 GMT' }, 'send'],
    ['a match is overruled by a tag that differs', { ifModifiedSince: after, ifNoneMatch: '"other"' }, 'send'],
    ['a difference is overruled by the tag', { ifModifiedSince: before, ifNoneMatch: etag }, 'not_modified'],
  ],

  'If-Match': [
    ['the tag', { ifMatch: etag }, 'send'],
    ['the tag in a list', { ifMatch: `"other", ${etag}` }, 'send'],
    ['the star', { ifMatch: '*' }, 'send'],
    ['another tag', { ifMatch: '"other"' }, 'failed'],
    ['the tag as a weak one, which never matches strongly', { ifMatch: `W/${etag}` }, 'failed'],
    ['what is no tag', { ifMatch: 'an-id-10' }, 'failed'],
  ],

  'If-Unmodified-Since': [
    ['the very second', { ifUnmodifiedSince: exactly }, 'send'],
    ['a later second', { ifUnmodifiedSince: after }, 'send'],
    ['an earlier second', { ifUnmodifiedSince: before }, 'failed'],
    ['no date', { ifUnmodifiedSince: 'yesterday' }, 'send'],
    ['a difference is overruled by the tag', { ifUnmodifiedSince: before, ifMatch: etag }, 'send'],
    ['a match is overruled by a tag that differs', { ifUnmodifiedSince: after, ifMatch: '"other"' }, 'failed'],
  ],

  'several of them': [
    ['If-Match fails before If-None-Match is asked', { ifMatch: '"other"', ifNoneMatch: etag }, 'failed'],
    ['If-Match holds, and the client has it', { ifMatch: etag, ifNoneMatch: etag }, 'not_modified'],
    ['unmodified, and the client has it', { ifUnmodifiedSince: after, ifModifiedSince: exactly }, 'not_modified'],
    ['modified, although the client has it', { ifUnmodifiedSince: before, ifNoneMatch: '*' }, 'failed'],
  ],
} satisfies Record<string, Case[]>

for (const [header, table] of Object.entries<Case[]>(cases)) {
  describe(header, () => {
    it.each(table)('%s', (_situation, conditions, verdict) => {
      expect(evaluate(conditions, validators)).toBe(verdict)
    })
  })
}
