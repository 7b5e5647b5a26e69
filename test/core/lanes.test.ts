import { describe, expect, it } from '@jest/globals'
import { Lanes } from '../../server/core/lanes.ts'

describe('Lanes', () => {
  it('let a few calls of a key run at once, and the others in order', async () => {
    const lanes = new Lanes(2, 'Too many.')
    const leaves = [await lanes.enter('a'), await lanes.enter('a')]
    const entered: number[] = []
    const later = [1, 2].map((number) =>
      lanes.enter('a').then((leave) => {
        entered.push(number)
        return leave
      }),
    )
    ;(await lanes.enter('b'))()
    expect(entered).toEqual([])
    leaves[0]?.()
    // A second call must not let another one in.
    leaves[0]?.()
    await later[0]
    expect(entered).toEqual([1])
    leaves[1]?.()
    await later[1]
    expect(entered).toEqual([1, 2])
  })

  it('refuse a call when a thousand are waiting, and say when to call again', async () => {
    const lanes = new Lanes(1, 'Too many.')
    const leave = await lanes.enter('a')
    const waiting = Array.from({ length: 1_000 }, () => lanes.enter('a').then((next) => next()))
    const details = { retry_after: expect.any(Number) }
    await expect(lanes.enter('a')).rejects.toMatchObject({ code: 'too_many_requests', details })
    leave()
    await Promise.all(waiting)
    ;(await lanes.enter('a'))()
  })
})
