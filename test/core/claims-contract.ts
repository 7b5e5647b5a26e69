import { describe, expect, it } from '@jest/globals'
import type { Claims } from '../../server/core/claims.ts'
import type { Range } from '../../server/core/ranges.ts'

const never = new AbortController().signal
const ID = 'upload'

function bytes(start: number, end: number): Range {
  return { start, end }
}

/** Whether a promise is still pending after all queued work has run. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const done = (): void => {
    pending = false
  }
  promise.then(done, done)
  await new Promise((resolve) => setImmediate(resolve))
  return pending
}

/** The contract of every implementation of `Claims`. */
export function claimsContract(make: () => Claims): void {
  describe('An implementation of Claims', () => {
    it('grants disjoint ranges at once', async () => {
      const claims = make()
      const a = await claims.whole(ID, () => [bytes(0, 10)], never)
      const b = await claims.whole(ID, () => [bytes(10, 20)], never)
      expect([a.ranges, b.ranges]).toEqual([[bytes(0, 10)], [bytes(10, 20)]])
    })

    it('makes a chunk wait while any byte of it is held, and asks again for the missing bytes at the grant', async () => {
      const claims = make()
      let missing = [bytes(0, 10)]
      const older = await claims.whole(ID, () => [bytes(9, 20)], never)
      const newer = claims.whole(ID, () => missing, never)
      expect(await isPending(newer)).toBe(true)
      missing = [bytes(0, 9)]
      older.release()
      expect((await newer).ranges).toEqual([bytes(0, 9)])
    })

    it('grants nothing, and holds nothing, when nothing is missing', async () => {
      const claims = make()
      const older = await claims.whole(ID, () => [bytes(0, 10)], never)
      const newer = claims.whole(ID, () => [], never)
      expect((await newer).ranges).toEqual([])
      older.release()
      await expect(claims.exclusive(ID, never)).resolves.toBeDefined()
    })

    it('grants a stream the free beginning of the requested range', async () => {
      const claims = make()
      await claims.whole(ID, () => [bytes(30, 40)], never)
      const stream = await claims.leading(ID, () => bytes(0, 100), never)
      expect(stream.ranges).toEqual([bytes(0, 30)])
    })

    it('makes a stream wait before a claim of another put', async () => {
      const claims = make()
      const chunk = await claims.whole(ID, () => [bytes(30, 40)], never)
      const stream = claims.leading(ID, () => bytes(35, 100), never)
      expect(await isPending(stream)).toBe(true)
      chunk.release()
      expect((await stream).ranges).toEqual([bytes(35, 100)])
    })

    it('grants the whole upload only when no part of it is held, and lets no later claim pass meanwhile', async () => {
      const claims = make()
      const chunk = await claims.whole(ID, () => [bytes(0, 10)], never)
      const finish = claims.exclusive(ID, never)
      const later = claims.whole(ID, () => [bytes(50, 60)], never)
      expect(await isPending(finish)).toBe(true)
      expect(await isPending(later)).toBe(true)
      chunk.release()
      const exclusive = await finish
      expect(await isPending(later)).toBe(true)
      exclusive.release()
      expect((await later).ranges).toEqual([bytes(50, 60)])
    })

    it('grants or refuses the whole upload without waiting, if asked to', async () => {
      const claims = make()
      const chunk = await claims.whole(ID, () => [bytes(0, 10)], never)
      expect(claims.tryExclusive(ID)).toBeUndefined()
      chunk.release()
      const exclusive = claims.tryExclusive(ID)
      expect(exclusive).toBeDefined()
      const chunkAfter = claims.whole(ID, () => [bytes(0, 10)], never)
      expect(await isPending(chunkAfter)).toBe(true)
      exclusive?.release()
      expect((await chunkAfter).ranges).toEqual([bytes(0, 10)])
    })

    it('grants waiting claims in order of arrival', async () => {
      const claims = make()
      const first = await claims.whole(ID, () => [bytes(0, 10)], never)
      const second = claims.whole(ID, () => [bytes(0, 10)], never)
      const third = claims.whole(ID, () => [bytes(0, 10)], never)
      first.release()
      const claim = await second
      expect(await isPending(third)).toBe(true)
      claim.release()
      expect((await third).ranges).toEqual([bytes(0, 10)])
    })

    it('drops a claim that gives up waiting, and wakes those behind it', async () => {
      const claims = make()
      const held = await claims.whole(ID, () => [bytes(0, 10)], never)
      const impatient = new AbortController()
      const finish = claims.exclusive(ID, impatient.signal)
      const other = claims.whole(ID, () => [bytes(20, 30)], never)
      expect(await isPending(other)).toBe(true)
      impatient.abort(new Error('enough'))
      await expect(finish).rejects.toThrow('enough')
      expect((await other).ranges).toEqual([bytes(20, 30)])
      held.release()
    })

    it('ignores a second release', async () => {
      const claims = make()
      const first = await claims.whole(ID, () => [bytes(0, 10)], never)
      first.release()
      const second = await claims.whole(ID, () => [bytes(0, 10)], never)
      first.release()
      const third = claims.whole(ID, () => [bytes(0, 10)], never)
      expect(await isPending(third)).toBe(true)
      second.release()
      await third
    })

    it('keeps uploads apart', async () => {
      const claims = make()
      await claims.exclusive('one', never)
      expect((await claims.whole('other', () => [bytes(0, 10)], never)).ranges).toEqual([bytes(0, 10)])
    })
  })
}
