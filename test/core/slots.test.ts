import { describe, expect, it } from '@jest/globals'
import { KeyedSlots, Slots } from '../../server/core/slots.ts'

describe('Slots', () => {
  it('let a few tasks run at once, and the others in order of arrival', async () => {
    const slots = new Slots(2)
    const leaves = [await slots.enter(), await slots.enter()]
    const entered: number[] = []
    const later = [1, 2].map(async (number) => {
      await slots.enter()
      entered.push(number)
    })
    leaves[0]?.()
    // A second call must not let another one in.
    leaves[0]?.()
    await later[0]
    expect(entered).toEqual([1])
    leaves[1]?.()
    await later[1]
    expect(entered).toEqual([1, 2])
  })

  it('refuse a task when enough others are waiting', async () => {
    const slots = new Slots(1, 1)
    const leave = await slots.enter()
    const waiting = slots.enter()
    await expect(slots.enter()).rejects.toThrow('Too many tasks are waiting.')
    leave()
    const next = await waiting
    next()
    expect(slots.isUnused).toBe(true)
  })

  it('keep no place for a task that was withdrawn', async () => {
    const slots = new Slots(1, 1)
    const leave = await slots.enter()
    const abort = new AbortController()
    const withdrawn = slots.enter(abort.signal)
    abort.abort(new Error('No longer needed.'))
    await expect(withdrawn).rejects.toThrow('No longer needed.')
    await expect(slots.enter(abort.signal)).rejects.toThrow('No longer needed.')
    leave()
    expect(slots.isUnused).toBe(true)
  })
})

describe('Slots of keys', () => {
  it('are not taken by other keys', async () => {
    const slots = new KeyedSlots(1, 0)
    const leave = await slots.enter('a')
    await expect(slots.enter('a')).rejects.toThrow('Too many tasks are waiting.')
    ;(await slots.enter('b'))()
    leave()
    const again = await slots.enter('a')
    // A second call must not free what another task has taken since.
    leave()
    await expect(slots.enter('a')).rejects.toThrow('Too many tasks are waiting.')
    again()
  })
})
