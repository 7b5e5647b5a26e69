import { describe, expect, it } from '@jest/globals'
import { KeyedQueue } from '../../server/core/keyed-queue.ts'

/** Work that runs until the test ends it. */
function held(name: string, begun: string[]) {
  let end = (): void => undefined
  const over = new Promise<void>((resolve) => {
    end = resolve
  })
  const work = async (): Promise<void> => {
    begun.push(name)
    await over
  }
  return { work, end }
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('A keyed queue', () => {
  it('runs work with a common key in order, and all other work concurrently', async () => {
    const queue = new KeyedQueue()
    const begun: string[] = []
    const works = ['ab', 'bc', 'cd', 'x'].map((keys) => ({ keys: [...keys], ...held(keys, begun) }))
    const all = works.map(({ keys, work }) => queue.run(keys, work))
    await soon()
    expect(begun).toEqual(['ab', 'x'])
    works[0]?.end()
    await soon()
    expect(begun).toEqual(['ab', 'x', 'bc'])
    works[1]?.end()
    await soon()
    expect(begun).toEqual(['ab', 'x', 'bc', 'cd'])
    for (const { end } of works) end()
    await Promise.all(all)
  })

  it('continues after failed work, whose error reaches only its caller', async () => {
    const queue = new KeyedQueue()
    const failed = queue.run(['a'], () => Promise.reject(new Error('It failed.')))
    const next = queue.run(['a'], async () => 'done')
    await expect(failed).rejects.toThrow('It failed.')
    expect(await next).toBe('done')
  })

  it('never deadlocks on several keys', async () => {
    const queue = new KeyedQueue()
    const orders = [['a', 'b'], ['b', 'a'], ['a', 'b', 'a'], []]
    expect(await Promise.all(orders.map((keys, i) => queue.run(keys, async () => i)))).toEqual([0, 1, 2, 3])
  })
})
