import { describe, expect, it } from '@jest/globals'
import { ExpiringCache } from '../../server/auth/expiring-cache.ts'
import { withClockAhead } from '../support/clock.ts'

describe('A cache of credentials', () => {
  it('forgets the least recently used value when it is full', () => {
    const cache = new ExpiringCache<number>(2)
    const later = Date.now() + 60_000
    cache.set('a', 1, later)
    cache.set('b', 2, later)
    expect(cache.get('a')).toBe(1)
    cache.set('c', 3, later)
    expect(['a', 'b', 'c'].map((key) => cache.get(key))).toEqual([1, undefined, 3])
  })

  it('returns a value until its moment only', async () => {
    const cache = new ExpiringCache<number>(2)
    cache.set('a', 1, Date.now() + 60_000)
    expect(cache.get('a')).toBe(1)
    await withClockAhead(60_001, async () => expect(cache.get('a')).toBeUndefined())
  })
})
