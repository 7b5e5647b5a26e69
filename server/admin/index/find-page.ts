import { type ListQuery, UPLOAD_STATES } from '../contract.ts'
import { bytesOf, foldedBytesOf, MAX_TEXT } from './arena.ts'
import { hashOf, numberOfState } from './columns.ts'
import { type Cursor, cursorOf, parseCursor } from './cursor.ts'
import type { Searched } from './orders.ts'
import { firstWithPrefix, LAST, packId, RANDOM } from './packed-id.ts'
import type { IndexPage } from './rows.ts'
import type { Position, SortedSlots } from './sorted-slots.ts'

/** So many candidates are sorted for a page; more are searched in its order. */
const MAX_SORTED = 4_096

/** So long is one page searched, in milliseconds: a rare match is found by several requests. */
const MAX_SEARCH = 25

/** The time is looked at after so many uploads. */
const SLICE = 1_024

/** Ids before and after all others. */
const LOWEST = Buffer.from([RANDOM, ...Buffer.alloc(16)])
const HIGHEST = Buffer.from([LAST])

/** A part of an order. */
interface Span {
  readonly order: SortedSlots
  readonly from: Position
  readonly to: Position
  readonly size: number
  /** The filters that all of it passes. */
  readonly decides: ReadonlySet<Filter>
}

type Filter = 'state' | 'owner' | 'time' | 'namePrefix' | 'nameContains' | 'idPrefix' | 'task'

type Test = (slot: number) => boolean

/** A page of the uploads that pass all filters. @returns `undefined` if the cursor is none of this order. */
export function findPage(index: Searched, query: ListQuery): IndexPage | undefined {
  const order = query.order ?? (query.sort === 'age' || query.sort === 'size' ? 'desc' : 'asc')
  const cursor = query.after === undefined ? undefined : parseCursor(query.after, query.sort, order)
  if (query.after !== undefined && cursor === undefined) return undefined
  const filters = filtersOf(index, query)
  const spans = spansOf(index, query)
  const smallest = spans.reduce((a, b) => (b.size < a.size ? b : a))
  const listed = listedSlots(index, query)
  const isDescending = order === 'desc'
  if (listed !== undefined || smallest.size <= MAX_SORTED) {
    const slots = listed ?? slotsIn(smallest)
    const passed = slots.filter(testOf(filters, new Set()))
    return sortedPage(index, query, { slots: passed, cursor, isDescending })
  }
  const span = spans.filter(({ order }) => isOrdered(index, query, order)).reduce((a, b) => (b.size < a.size ? b : a))
  const total = [...filters.keys()].every((filter) => smallest.decides.has(filter)) ? smallest.size : null
  return { ...searchedPage(index, query, { span, test: testOf(filters, span.decides), cursor, isDescending }), total }
}

/** Whether an order is that of the query, at least within a span that the query names. */
function isOrdered({ orders }: Searched, { sort, state, owner }: ListQuery, order: SortedSlots): boolean {
  if (order === orders[sort]) return true
  // Within a state or an owner, these are by age.
  return sort === 'age' && ((order === orders.state && state?.length === 1) || (order === orders.owner && !!owner))
}

/** A page of few uploads. */
function sortedPage(
  index: Searched,
  query: ListQuery,
  { slots, cursor, isDescending }: { slots: readonly number[]; cursor: Cursor | undefined; isDescending: boolean },
): IndexPage {
  const { compare } = index.orders[query.sort]
  const sorted = [...slots].sort(isDescending ? (a, b) => compare(b, a) : compare)
  let left = sorted
  if (cursor !== undefined) {
    setCursor(index, cursor)
    const isAfter = (slot: number): boolean => (isDescending ? compare(slot, 0) < 0 : compare(slot, 0) > 0)
    left = sorted.filter(isAfter)
  }
  const page = left.slice(0, query.limit)
  return pageOf(index, query, { slots: page, hasMore: left.length > page.length, isDescending, total: sorted.length })
}

/** A page of the first matches in an order. */
function searchedPage(
  index: Searched,
  query: ListQuery,
  { span, test, cursor, isDescending }: { span: Span; test: Test; cursor: Cursor | undefined; isDescending: boolean },
): IndexPage {
  const { order } = span
  let { from, to } = span
  if (cursor !== undefined) {
    setCursor(index, cursor)
    if (isDescending) to = earlier(to, order.lowerBound(0))
    else from = later(from, order.upperBound(0))
  }
  const slots: number[] = []
  let examined = 0
  const begun = performance.now()
  let last: number | undefined
  let hasMore = false
  const visit = (slot: number): boolean => {
    const isLate = examined > 0 && examined % SLICE === 0 && performance.now() - begun > MAX_SEARCH
    if (slots.length === query.limit || isLate) {
      hasMore = true
      return false
    }
    examined += 1
    last = slot
    if (test(slot)) slots.push(slot)
    return true
  }
  if (isDescending) order.descend(from, to, visit)
  else order.ascend(from, to, visit)
  return pageOf(index, query, { slots, hasMore, last, isDescending, total: null })
}

/** @param last where the search has ended; by default, at the last slot of the page. */
function pageOf(
  { columns }: Searched,
  { sort }: ListQuery,
  {
    slots,
    hasMore,
    last = slots.at(-1),
    isDescending,
    total,
  }: {
    slots: readonly number[]
    hasMore: boolean
    last?: number | undefined
    isDescending: boolean
    total: number | null
  },
): IndexPage {
  const order = isDescending ? 'desc' : 'asc'
  const next =
    hasMore && last !== undefined ? cursorOf(sort, order, columns.row(last), columns.states[last] ?? 0) : null
  return { rows: slots.map((slot) => columns.row(slot)), next, total }
}

/** Makes slot 0 the key of the last upload of the page before. */
function setCursor({ columns }: Searched, { i, n = '', w = null, t = 0, c = 0, z = 0 }: Cursor): void {
  columns.setKey(packId(i), { name: bytesOf(n), owner: w, state: t, createdAt: c, size: z })
}

/** The spans that contain all matches; the first ones are whole orders. */
function spansOf(index: Searched, query: ListQuery): readonly Span[] {
  const { orders, columns } = index
  const { state: states, owner, olderThan, newerThan, namePrefix } = query
  const since = newerThan === undefined ? Number.NEGATIVE_INFINITY : Date.parse(newerThan)
  const before = olderThan === undefined ? Number.POSITIVE_INFINITY : Date.parse(olderThan)
  type Key = Parameters<typeof columns.setKey>[1]
  const between = (order: SortedSlots, low: Key, high: [Buffer, Key], ...decides: readonly Filter[]): Span => {
    columns.setKey(LOWEST, low)
    const from = order.lowerBound(0)
    columns.setKey(...high)
    const to = later(from, order.lowerBound(0))
    return { order, from, to, size: order.rank(to) - order.rank(from), decides: new Set(decides) }
  }
  const whole = (order: SortedSlots): Span => {
    const { start: from, end: to } = order
    return { order, from, to, size: index.size, decides: new Set() }
  }
  // No upload was created at `before` and has the lowest id.
  const aged = (key: Key): [Key, [Buffer, Key]] => [
    { ...key, createdAt: since },
    [LOWEST, { ...key, createdAt: before }],
  ]
  const [state] = states?.length === 1 ? states : []
  const prefix = namePrefix === undefined ? undefined : bytesOf(namePrefix)
  return [
    whole(orders[query.sort]),
    between(orders.age, ...aged({}), 'time'),
    ...(state === undefined ? [] : [between(orders.state, ...aged({ state: numberOfState(state) }), 'state', 'time')]),
    ...(owner === undefined
      ? []
      : [between(orders.owner, ...aged({ owner: owner === 'none' ? null : owner }), 'owner', 'time')]),
    ...(prefix === undefined
      ? []
      : [
          // No text has this byte.
          between(
            orders.name,
            { name: prefix },
            [HIGHEST, { name: Buffer.concat([prefix.subarray(0, MAX_TEXT - 1), Buffer.from([255])]) }],
            ...(prefix.length < MAX_TEXT ? (['namePrefix'] as const) : []),
          ),
        ]),
  ]
}

/** The candidates of a query that names ids or a task; `undefined` for other queries, and for very many candidates. */
function listedSlots(index: Searched, { idPrefix, task }: ListQuery): readonly number[] | undefined {
  const { columns, orders } = index
  const slots: number[] = []
  if (task !== undefined) {
    const hash = hashOf(task)
    const { tasks, end } = columns
    for (let slot = 1; slot < end && slots.length <= MAX_SORTED; slot++) if (tasks[slot] === hash) slots.push(slot)
  } else if (idPrefix !== undefined) {
    for (const first of firstWithPrefix(idPrefix)) {
      columns.setKey(first, {})
      orders.id.ascend(orders.id.lowerBound(0), orders.id.end, (slot) => {
        // The next kind has a search of its own.
        const isOfKind = columns.arena.kindOf(columns.addresses[slot] ?? 0) === first[0]
        if (slots.length > MAX_SORTED || !isOfKind || !columns.idOf(slot).startsWith(idPrefix)) return false
        slots.push(slot)
        return true
      })
    }
  } else return undefined
  return slots.length > MAX_SORTED ? undefined : slots
}

function slotsIn({ order, from, to }: Span): readonly number[] {
  const slots: number[] = []
  order.ascend(from, to, (slot) => {
    slots.push(slot)
    return true
  })
  return slots
}

/** The tests of the filters, the quickest first. */
function filtersOf({ columns }: Searched, query: ListQuery): ReadonlyMap<Filter, Test> {
  const { state, owner, olderThan, newerThan, namePrefix, nameContains, idPrefix, task } = query
  const { arena } = columns
  const tests = new Map<Filter, Test>()
  if (state !== undefined) {
    const wanted = UPLOAD_STATES.map((name) => state.includes(name))
    tests.set('state', (slot) => wanted[columns.states[slot] ?? 0] ?? false)
  }
  if (olderThan !== undefined || newerThan !== undefined) {
    const since = newerThan === undefined ? Number.NEGATIVE_INFINITY : Date.parse(newerThan)
    const before = olderThan === undefined ? Number.POSITIVE_INFINITY : Date.parse(olderThan)
    tests.set('time', (slot) => {
      const created = columns.createdAt.get(slot)
      return created >= since && created < before
    })
  }
  if (task !== undefined) {
    const hash = hashOf(task)
    tests.set('task', (slot) => columns.tasks[slot] === hash && columns.row(slot).taskId === task)
  }
  if (owner !== undefined) {
    const bytes = arena.ownerKey(owner === 'none' ? null : owner)
    tests.set('owner', (slot) => arena.hasOwner(columns.addresses[slot] ?? 0, bytes))
  }
  if (idPrefix !== undefined) tests.set('idPrefix', (slot) => columns.idOf(slot).startsWith(idPrefix))
  if (namePrefix !== undefined) {
    const wanted = foldedBytesOf(namePrefix)
    tests.set('namePrefix', (slot) => arena.nameMatches(columns.addresses[slot] ?? 0, wanted, true))
  }
  if (nameContains !== undefined) {
    const wanted = foldedBytesOf(nameContains)
    tests.set('nameContains', (slot) => arena.nameMatches(columns.addresses[slot] ?? 0, wanted, false))
  }
  return tests
}

/** All tests but those that are decided. */
function testOf(filters: ReadonlyMap<Filter, Test>, decided: ReadonlySet<Filter>): Test {
  const tests = [...filters].filter(([filter]) => !decided.has(filter)).map(([, test]) => test)
  return (slot) => tests.every((test) => test(slot))
}

function earlier(a: Position, b: Position): Position {
  return a.block < b.block || (a.block === b.block && a.index < b.index) ? a : b
}

function later(a: Position, b: Position): Position {
  return earlier(a, b) === a ? b : a
}
