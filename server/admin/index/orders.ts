import type { Columns } from './columns.ts'
import { SortedSlots } from './sorted-slots.ts'

/** The orders of the uploads. Each is total, because the id decides in the end. */
export interface Orders {
  readonly id: SortedSlots
  readonly age: SortedSlots
  readonly name: SortedSlots
  readonly size: SortedSlots
  /** By state, then by age. */
  readonly state: SortedSlots
  /** By owner, then by age. */
  readonly owner: SortedSlots
}

/** What is searched. */
export interface Searched {
  readonly columns: Columns
  readonly orders: Orders
  /** How many uploads there are. */
  readonly size: number
}

/** Empty orders of the slots of `columns`. */
export function ordersOf(columns: Columns): Orders {
  const { arena } = columns
  const byId = (a: number, b: number): number => arena.compareIds(columns.addresses[a] ?? 0, columns.addresses[b] ?? 0)
  const byAge = (a: number, b: number): number => columns.createdAt.get(a) - columns.createdAt.get(b) || byId(a, b)
  return {
    id: new SortedSlots(byId),
    age: new SortedSlots(byAge),
    name: new SortedSlots(
      (a, b) => arena.compareNames(columns.addresses[a] ?? 0, columns.addresses[b] ?? 0) || byId(a, b),
    ),
    size: new SortedSlots((a, b) => columns.sizes.get(a) - columns.sizes.get(b) || byId(a, b)),
    state: new SortedSlots((a, b) => (columns.states[a] ?? 0) - (columns.states[b] ?? 0) || byAge(a, b)),
    owner: new SortedSlots(
      (a, b) => arena.compareOwners(columns.addresses[a] ?? 0, columns.addresses[b] ?? 0) || byAge(a, b),
    ),
  }
}
