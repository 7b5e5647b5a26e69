import { UPLOAD_STATES, type UploadState } from '../contract.ts'
import { Columns, numberOfState } from './columns.ts'
import { findPage } from './find-page.ts'
import { ordersOf, type Searched } from './orders.ts'
import { packId } from './packed-id.ts'
import type { Amount, IndexChanges, IndexPage, IndexRow, StaleUploads } from './rows.ts'

/** The most examples of stale uploads. */
const MAX_EXAMPLES = 100

/** States in which an upload expires. */
const EXPIRING: ReadonlySet<UploadState> = new Set(['receiving', 'sealed', 'failed', 'rejected'])

/** The index of uploads by everything that administrators look for. All in memory, about 130 bytes per upload. */
export class UploadIndex implements Searched {
  readonly columns = new Columns()
  readonly orders = ordersOf(this.columns)
  readonly #counts = UPLOAD_STATES.map(() => ({ count: 0, bytes: 0 }))

  /** How many uploads it has. */
  get size(): number {
    return this.#counts.reduce((sum, { count }) => sum + count, 0)
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    return Object.values(this.orders).reduce((sum, order) => sum + order.bytes, this.columns.bytes)
  }

  apply({ rows, gone }: IndexChanges): void {
    for (const row of rows) this.#set(row)
    for (const id of gone) this.#remove(id)
  }

  get(id: string): IndexRow | undefined {
    const slot = this.#find(id)
    return slot === undefined ? undefined : this.columns.row(slot)
  }

  /** @returns `undefined` if the cursor is none of this order. */
  page(query: Parameters<typeof findPage>[1]): IndexPage | undefined {
    return findPage(this, query)
  }

  amounts(): Readonly<Record<UploadState, Amount>> {
    const of = (state: UploadState): Amount => ({ count: 0, bytes: 0, ...this.#counts[numberOfState(state)] })
    return {
      receiving: of('receiving'),
      sealed: of('sealed'),
      finishing: of('finishing'),
      scanning: of('scanning'),
      finished: of('finished'),
      failed: of('failed'),
      rejected: of('rejected'),
    }
  }

  /** The uploads that would expire, and have not changed since `before`. */
  stale(before: number): StaleUploads {
    const { columns } = this
    const expiring = UPLOAD_STATES.map((state) => EXPIRING.has(state))
    const slots: number[] = []
    let bytes = 0
    let count = 0
    this.orders.age.ascend(this.orders.age.start, this.orders.age.end, (slot) => {
      const isStale = expiring[columns.states[slot] ?? 0] && columns.changedAt.get(slot) < before
      if (!isStale || columns.isRelated(slot)) return true
      count += 1
      bytes += columns.received.get(slot)
      if (slots.length < MAX_EXAMPLES) slots.push(slot)
      return true
    })
    return { count, bytes, examples: slots.map((slot) => columns.row(slot)) }
  }

  /** Those of some ids that it does not have, or that are not finished. */
  unsettled(ids: readonly string[]): readonly string[] {
    const finished = numberOfState('finished')
    return ids.filter((id) => {
      const slot = this.#find(id)
      return slot === undefined || this.columns.states[slot] !== finished
    })
  }

  #find(id: string): number | undefined {
    this.columns.setKey(packId(id), {})
    const { id: order } = this.orders
    let found: number | undefined
    order.ascend(order.lowerBound(0), order.upperBound(0), (slot) => {
      found = slot
      return false
    })
    return found
  }

  #set(row: IndexRow): void {
    const slot = this.#find(row.id)
    if (slot === undefined) {
      this.#insert(row)
      return
    }
    const before = this.columns.row(slot)
    const hasSameTexts = before.name === row.name && before.owner === row.owner && before.taskId === row.taskId
    if (!hasSameTexts || before.createdAt !== row.createdAt) {
      this.#removeSlot(slot)
      this.#insert(row)
      return
    }
    this.#count(before, -1)
    const { size, state } = this.orders
    const changes = [...(before.size === row.size ? [] : [size]), ...(before.state === row.state ? [] : [state])]
    for (const order of changes) order.remove(slot)
    this.columns.set(slot, row)
    for (const order of changes) order.insert(slot)
    this.#count(row, 1)
  }

  #insert(row: IndexRow): void {
    const slot = this.columns.add(row)
    for (const order of Object.values(this.orders)) order.insert(slot)
    this.#count(row, 1)
  }

  #remove(id: string): void {
    const slot = this.#find(id)
    if (slot !== undefined) this.#removeSlot(slot)
  }

  #removeSlot(slot: number): void {
    this.#count(this.columns.row(slot), -1)
    for (const order of Object.values(this.orders)) order.remove(slot)
    this.columns.remove(slot)
  }

  #count({ state, received }: IndexRow, sign: 1 | -1): void {
    const amount = this.#counts[numberOfState(state)]
    if (amount === undefined) return
    amount.count += sign
    amount.bytes += sign * received
  }
}
