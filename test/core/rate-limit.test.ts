import { describe, expect, it } from '@jest/globals'
import { UploadError } from '../../server/core/errors.ts'
import { RateLimit } from '../../server/core/rate-limit.ts'

/** A limit of 600 calls per minute, of which 100 may come at once, and its clock. */
function limitOf600(): { limit: RateLimit; advance: (ms: number) => void } {
  let now = 5_000
  const advance = (ms: number): void => {
    now += ms
  }
  return { limit: new RateLimit(600, 'Too many.', () => now), advance }
}

/** How many of `most` calls are due at once. */
function dueAtOnce(limit: RateLimit, key: string, most: number, isShared = false): number {
  let due = 0
  while (due < most && limit.turn(key, isShared) === undefined) due += 1
  return due
}

/** The error of the first call that is refused, and how many were not. */
function untilRefused(limit: RateLimit, key: string): { error: unknown; taken: number } {
  for (let taken = 0; ; taken++) {
    try {
      void limit.turn(key)
    } catch (error) {
      return { error, taken }
    }
  }
}

describe('A rate limit', () => {
  it('lets a sixth of a minute come at once, and delays the rest', async () => {
    const { limit } = limitOf600()
    expect(dueAtOnce(limit, 'a', 1_000)).toBe(101)
    await limit.turn('a')
  })

  it('treats each key by itself', () => {
    const { limit } = limitOf600()
    expect(dueAtOnce(limit, 'a', 1_000)).toBe(101)
    expect(dueAtOnce(limit, 'b', 1_000)).toBe(101)
  })

  it('restores the burst of a key in ten seconds', () => {
    const { limit, advance } = limitOf600()
    dueAtOnce(limit, 'a', 1_000)
    advance(5_000)
    expect(dueAtOnce(limit, 'a', 1_000)).toBeGreaterThan(40)
    advance(60_000)
    expect(dueAtOnce(limit, 'a', 1_000)).toBe(101)
  })

  it('refuses a call that would wait for more than 50 seconds, and says when to call again', () => {
    const { limit } = limitOf600()
    const { error, taken } = untilRefused(limit, 'a')
    expect(taken).toBeGreaterThan(590)
    expect(taken).toBeLessThan(610)
    expect(error).toBeInstanceOf(UploadError)
    expect(error).toMatchObject({ code: 'too_many_requests', details: { retry_after: 1 } })
    expect(limit.turn('b')).toBeUndefined()
  })

  it('lets at most a thousand calls of a key wait', () => {
    const limit = new RateLimit(6_000_000, 'Too many.', () => 0)
    const { taken } = untilRefused(limit, 'a')
    expect(taken).toBeLessThan(1_000_000 + 1_010)
  })

  it('gives each key a tenth, and half of the burst, while others need the service', () => {
    const { limit, advance } = limitOf600()
    const burst = dueAtOnce(limit, 'a', 1_000, true)
    expect([50, 51]).toContain(burst)
    advance(2_000)
    expect([1, 2]).toContain(dueAtOnce(limit, 'a', 1_000, true))
  })

  it('takes what a key has used alone from its burst, and no more', () => {
    const { limit, advance } = limitOf600()
    dueAtOnce(limit, 'a', 101)
    advance(20_000)
    dueAtOnce(limit, 'a', 200)
    expect(dueAtOnce(limit, 'a', 1, true)).toBe(0)
    advance(12_000)
    expect(dueAtOnce(limit, 'a', 20, true)).toBeGreaterThan(0)
  })
})
