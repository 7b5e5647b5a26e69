import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Holder, MemoryBudget } from '../../server/s3/memory-budget.ts'

const LIMIT = 100

/** Holds memory until it is asked for room: then it stores its bytes, which takes a while. */
class StoringHolder implements Holder {
  readonly #budget: MemoryBudget
  /** Stores that have begun, of all holders. */
  readonly #stores: (() => void)[]
  spare = 0

  constructor(budget: MemoryBudget, stores: (() => void)[]) {
    this.#budget = budget
    this.#stores = stores
    budget.enlist(this)
  }

  async take(bytes: number): Promise<void> {
    await this.#budget.take(bytes)
    this.spare += bytes
    this.#budget.offer()
  }

  shrink(): void {
    const { spare } = this
    this.spare = 0
    if (spare > 0) this.#stores.push(() => this.#budget.give(spare))
  }
}

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('take' as const), holder: fc.nat(4), bytes: fc.integer({ min: 1, max: 130 }) }),
    fc.record({ kind: fc.constant('store' as const), which: fc.nat(9) }),
  ),
  { maxLength: 40 },
)

describe('the memory budget', () => {
  it('grants every request in the end, and never more than there is', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const budget = new MemoryBudget(LIMIT)
        const stores: (() => void)[] = []
        const holders = Array.from({ length: 5 }, () => new StoringHolder(budget, stores))
        let waiting = 0
        for (const step of all) {
          if (step.kind === 'store') stores.splice(step.which % Math.max(1, stores.length), 1)[0]?.()
          else {
            waiting += 1
            void holders[step.holder]?.take(step.bytes).then(() => {
              waiting -= 1
            })
          }
          await settled()
          expectWithin(budget, all)
        }
        // Every store ends at some time; a request that needs another one would wait for ever.
        while (waiting > 0) {
          expect(stores.length).toBeGreaterThan(0)
          stores.shift()?.()
          await settled()
          expectWithin(budget, all)
        }
      }),
    )
  })

  it('grants requests in the order of their arrival', async () => {
    const budget = new MemoryBudget(LIMIT)
    const granted: string[] = []
    await budget.take(60)
    void budget.take(80).then(() => granted.push('large'))
    void budget.take(10).then(() => granted.push('small'))
    await settled()
    expect(granted).toEqual([])
    budget.give(60)
    await settled()
    expect(granted).toEqual(['large', 'small'])
  })

  it('grants more than there is only when nothing else is used', async () => {
    const budget = new MemoryBudget(LIMIT)
    await budget.take(1)
    let isGranted = false
    void budget.take(LIMIT + 1).then(() => {
      isGranted = true
    })
    await settled()
    expect(isGranted).toBe(false)
    budget.give(1)
    await settled()
    expect(isGranted).toBe(true)
    expect(budget.used).toBe(LIMIT + 1)
  })

  it('counts what is taken at once, and grants nothing before it is given back', async () => {
    const budget = new MemoryBudget(LIMIT)
    await budget.take(50)
    budget.owe(80)
    let isGranted = false
    void budget.take(10).then(() => {
      isGranted = true
    })
    budget.give(30)
    await settled()
    expect({ used: budget.used, isGranted }).toEqual({ used: 100, isGranted: false })
    budget.give(50)
    await settled()
    expect({ used: budget.used, isGranted }).toEqual({ used: 60, isGranted: true })
  })

  it('lets the largest holder shrink first, and no other if that is enough', async () => {
    const budget = new MemoryBudget(LIMIT)
    const stores: (() => void)[] = []
    const small = new StoringHolder(budget, stores)
    const large = new StoringHolder(budget, stores)
    await small.take(30)
    await large.take(70)
    void budget.take(50)
    expect({ small: small.spare, large: large.spare }).toEqual({ small: 30, large: 0 })
    budget.retire(small)
    void budget.take(50)
    expect(small.spare).toBe(30)
  })
})

/** More than there is may be used only by a single request that needs more. */
function expectWithin(budget: MemoryBudget, all: readonly { readonly kind: string; readonly bytes?: number }[]): void {
  if (budget.used <= LIMIT) return
  expect(all.some(({ bytes }) => bytes === budget.used)).toBe(true)
}

/** Until every promise that can be resolved is. */
async function settled(): Promise<void> {
  await new Promise(setImmediate)
}

describe('The memory of pieces', () => {
  const MIB = 2 ** 20

  it('is used again, and with what is used at most the limit', async () => {
    const budget = new MemoryBudget(8 * MIB)
    const buffers = [1, 2, 3].map((size) => budget.pieces.take(size * MIB))
    for (const buffer of buffers) budget.pieces.giveBack(buffer)
    expect(budget.pieces.take(2 * MIB)).toBe(buffers[1])
    await budget.take(7 * MIB)
    expect(budget.pieces.take(3 * MIB)).not.toBe(buffers[2])
    expect(budget.pieces.take(MIB)).not.toBe(buffers[0])
  })

  it('is not kept in small parts', () => {
    const { pieces } = new MemoryBudget(8 * MIB)
    const small = pieces.take(MIB - 1)
    pieces.giveBack(small)
    expect(pieces.take(MIB - 1)).not.toBe(small)
  })
})
