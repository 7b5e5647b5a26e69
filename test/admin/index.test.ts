/** The index of uploads, compared with a list that is filtered and sorted by hand. */
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type ListQuery, listQuery, SORT_KEYS, UPLOAD_STATES } from '../../server/admin/contract.ts'
import type { IndexRow } from '../../server/admin/index/rows.ts'
import { UploadIndex } from '../../server/admin/index/upload-index.ts'

const HOUR = 3_600_000

const hex = (length: number) =>
  fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length }).map((all) => all.join(''))

/** All forms of ids, of which many begin alike. */
const id = fc.oneof(
  hex(31).map((rest) => `a${rest}`),
  fc.tuple(hex(1), hex(16), hex(32)).map(([one, name, sender]) => `${'a1b2'.repeat(4)}abc${one}.${name}.${sender}`),
  fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom(...'aAbB1._-') }).map((rest) => `a${rest}`),
)
const name = fc.oneof(
  fc.string({ maxLength: 4, unit: fc.constantFrom(...'aAbBz ') }),
  fc.constantFrom('会议记录.pdf', '会议', 'Übersicht', 'x'.repeat(255), `${'x'.repeat(254)}y`),
)
const row: fc.Arbitrary<IndexRow> = fc.record({
  id,
  name,
  size: fc.option(fc.oneof(fc.nat(5), fc.constant(2 ** 40 + 1))),
  received: fc.nat(5),
  state: fc.constantFrom(...UPLOAD_STATES),
  owner: fc.constantFrom(null, '0'.repeat(32), 'f'.repeat(32), 'somebody'),
  protocol: fc.constantFrom('tus', 'draft', 'webuploader'),
  createdAt: fc.nat(5).map((hours) => hours * HOUR),
  changedAt: fc.nat(5).map((hours) => hours * HOUR),
  taskId: fc.constantFrom(null, 'wu_1', 'wu_2'),
  failure: fc.constantFrom(null, 'rejected', 'sync_failed'),
  isRelated: fc.boolean(),
})

const time = fc.nat(6).map((hours) => new Date(hours * HOUR).toISOString())
const filters = fc.record({
  state: fc.subarray([...UPLOAD_STATES], { minLength: 1 }).map((states) => states.join(',')),
  owner: fc.constantFrom('none', '0'.repeat(32), 'somebody', 'nobody'),
  olderThan: time,
  newerThan: time,
  namePrefix: fc.constantFrom('a', 'AB', '会', 'x', 'x'.repeat(255)),
  nameContains: fc.constantFrom('b', 'Z ', '记', 'y'),
  idPrefix: fc.constantFrom('a', 'ab', 'a1b2', 'a1b2a1b2a1b2a1b2abc1.', 'a.', 'A'),
  task: fc.constantFrom('wu_1', 'wu_3'),
})
const order = fc.record({
  sort: fc.constantFrom(...SORT_KEYS),
  order: fc.constantFrom('asc' as const, 'desc' as const),
  limit: fc.integer({ min: 1, max: 7 }).map(String),
})
/** At most two filters: with more, hardly anything is found. */
const query = fc
  .tuple(filters, order, fc.array(fc.nat(7), { maxLength: 2 }))
  .map(([all, rest, wanted]) =>
    listQuery.parse({ ...Object.fromEntries(Object.entries(all).filter((_, i) => wanted.includes(i))), ...rest }),
  )

/** Only ASCII letters are the same in both cases, and texts are compared by their bytes. */
const folded = (text: string): Buffer => Buffer.from(text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()))

const compareTexts = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** Of the sort key; the order of equal ones is that of their ids, whichever that is. */
const COMPARE: Readonly<Record<ListQuery['sort'], (a: IndexRow, b: IndexRow) => number>> = {
  age: (a, b) => a.createdAt - b.createdAt,
  name: (a, b) => Buffer.compare(folded(a.name), folded(b.name)),
  size: (a, b) => (a.size ?? -1) - (b.size ?? -1),
  state: (a, b) => UPLOAD_STATES.indexOf(a.state) - UPLOAD_STATES.indexOf(b.state) || a.createdAt - b.createdAt,
  // Digests come after other owners: they are kept in another form.
  owner: (a, b) =>
    ownerRank(a) - ownerRank(b) || compareTexts(a.owner ?? '', b.owner ?? '') || a.createdAt - b.createdAt,
}

function ownerRank({ owner }: IndexRow): number {
  return owner === null ? 0 : owner === 'somebody' ? 1 : 2
}

function passes(
  one: IndexRow,
  { state, owner, olderThan, newerThan, namePrefix, nameContains, idPrefix, task }: ListQuery,
) {
  const name = folded(one.name)
  return (
    (state === undefined || state.includes(one.state)) &&
    (owner === undefined || (one.owner ?? 'none') === owner) &&
    (olderThan === undefined || one.createdAt < Date.parse(olderThan)) &&
    (newerThan === undefined || one.createdAt >= Date.parse(newerThan)) &&
    (namePrefix === undefined || name.subarray(0, folded(namePrefix).length).equals(folded(namePrefix))) &&
    (nameContains === undefined || name.includes(folded(nameContains))) &&
    (idPrefix === undefined || one.id.startsWith(idPrefix)) &&
    (task === undefined || one.taskId === task)
  )
}

/** All pages of a query. */
function allPages(index: UploadIndex, query: ListQuery): readonly IndexRow[] {
  const rows: IndexRow[] = []
  for (let after: string | undefined; ; ) {
    const page = index.page({ ...query, after })
    if (page === undefined) throw new Error('The cursor is wrong.')
    if (page.rows.length > query.limit) throw new Error('The page is too long.')
    rows.push(...page.rows)
    if (page.next === null) return rows
    after = page.next
  }
}

function expectLike(index: UploadIndex, model: ReadonlyMap<string, IndexRow>, query: ListQuery): void {
  const found = allPages(index, query)
  const wanted = [...model.values()].filter((one) => passes(one, query))
  const idsIn = (rows: readonly IndexRow[]): string =>
    rows
      .map((one) => one.id)
      .sort()
      .join(' ')
  expect(idsIn(found)).toBe(idsIn(wanted))
  const sign = query.order === 'desc' ? -1 : 1
  const misplaced = found.filter((one, i) => {
    const before = found[i - 1]
    return before !== undefined && sign * COMPARE[query.sort](before, one) > 0
  })
  expect(misplaced).toEqual([])
}

describe('The index of uploads', () => {
  it('finds what a search of a list finds, whatever was added, changed, and removed', () => {
    const batch = fc.record({ rows: fc.array(row, { maxLength: 30 }), gone: fc.array(fc.nat(60), { maxLength: 8 }) })
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 4 }), fc.array(query, { maxLength: 8 }), (batches, queries) => {
        const index = new UploadIndex()
        const model = new Map<string, IndexRow>()
        for (const { rows, gone } of batches) {
          for (const one of rows) model.set(one.id, one)
          const ids = gone.map((place) => [...model.keys()][place] ?? 'none')
          for (const one of ids) model.delete(one)
          index.apply({ rows, gone: ids })
        }
        for (const one of queries) expectLike(index, model, one)
        for (const one of model.values()) expect(index.get(one.id)).toEqual(one)
        const amounts = Object.values(index.amounts())
        expect(amounts.reduce((sum, { count }) => sum + count, 0)).toBe(model.size)
        expect(index.size).toBe(model.size)
        const bytes = [...model.values()].reduce((sum, { received }) => sum + received, 0)
        expect(amounts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(bytes)
      }),
      { numRuns: 60 },
    )
  })

  it('finds the same in an order that has many blocks, and after most uploads are gone', () => {
    const index = new UploadIndex()
    const model = new Map<string, IndexRow>()
    const made = (i: number): IndexRow => ({
      id: ((i * 2_654_435_761) % 2 ** 32).toString(16).padStart(32, '0'),
      name: `file ${(i * 7_919) % 10_007}`,
      size: (i * 31) % 1_000,
      received: i % 10,
      state: UPLOAD_STATES[i % UPLOAD_STATES.length] ?? 'receiving',
      owner: i % 3 === 0 ? null : String(i % 50).padStart(32, '0'),
      protocol: 'tus',
      createdAt: ((i * 13) % 9_000) * HOUR,
      changedAt: 0,
      taskId: null,
      failure: null,
      isRelated: false,
    })
    const apply = (rows: readonly IndexRow[], gone: readonly string[]): void => {
      index.apply({ rows, gone })
      for (const one of rows) model.set(one.id, one)
      for (const one of gone) model.delete(one)
    }
    const queries = [
      {},
      { sort: 'name', limit: '1000' },
      { sort: 'size', order: 'asc' as const, state: 'failed' },
      { sort: 'owner', limit: '999' },
      { state: 'receiving', olderThan: new Date(5_000 * HOUR).toISOString() },
      { namePrefix: 'FILE 99', sort: 'state' },
      { owner: String(7).padStart(32, '0'), sort: 'name' },
    ].map((texts) => listQuery.parse({ limit: '700', ...texts }))
    apply(
      Array.from({ length: 9_000 }, (_, i) => made(i)),
      [],
    )
    for (const one of queries) expectLike(index, model, { ...one, order: one.order ?? 'desc' })
    apply(
      Array.from({ length: 2_000 }, (_, i) => ({ ...made(i * 3), state: 'finished' as const, size: i })),
      [...model.keys()].filter((_, i) => i % 10 !== 0),
    )
    for (const one of queries) expectLike(index, model, { ...one, order: one.order ?? 'desc' })
  })

  it('lists what has not changed for long, and expires by itself', () => {
    const index = new UploadIndex()
    const base = { name: 'a', size: 9, received: 3, owner: null, protocol: 'tus', taskId: null, failure: null } as const
    const rows: IndexRow[] = [
      { ...base, id: 'old', state: 'receiving', createdAt: 1, changedAt: 1, isRelated: false },
      { ...base, id: 'changed', state: 'receiving', createdAt: 1, changedAt: 9, isRelated: false },
      { ...base, id: 'part', state: 'sealed', createdAt: 1, changedAt: 1, isRelated: true },
      { ...base, id: 'whole', state: 'finished', createdAt: 1, changedAt: 1, isRelated: false },
      { ...base, id: 'rejected', state: 'rejected', createdAt: 0, changedAt: 1, isRelated: false },
    ]
    index.apply({ rows, gone: [] })
    expect(index.stale(5)).toMatchObject({ count: 2, bytes: 6, examples: [{ id: 'rejected' }, { id: 'old' }] })
    expect(index.unsettled(['old', 'whole', 'unknown'])).toEqual(['old', 'unknown'])
  })
})
