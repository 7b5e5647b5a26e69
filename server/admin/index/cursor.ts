import { z } from 'zod'
import { SORT_KEYS } from '../contract.ts'
import type { IndexRow } from './rows.ts'

/** Where a page ends: what the order compares of its last upload. The next page does not depend on its existence. */
const cursor = z.object({
  s: z.enum(SORT_KEYS),
  o: z.enum(['asc', 'desc']),
  i: z.string().max(200),
  n: z.string().max(300).optional(),
  w: z.string().max(300).nullable().optional(),
  t: z.int().min(0).max(6).optional(),
  c: z.number().optional(),
  z: z.number().optional(),
})

export type Cursor = z.output<typeof cursor>

/** @param state its number. */
export function cursorOf(sort: Cursor['s'], order: Cursor['o'], row: IndexRow, state: number): string {
  const common = { s: sort, o: order, i: row.id }
  const keys = {
    age: { c: row.createdAt },
    name: { n: row.name },
    size: { z: row.size ?? -1 },
    state: { t: state, c: row.createdAt },
    owner: { w: row.owner, c: row.createdAt },
  }
  return Buffer.from(JSON.stringify({ ...common, ...keys[sort] })).toString('base64url')
}

/** @returns `undefined` if it is not a cursor of this order. */
export function parseCursor(text: string, sort: Cursor['s'], order: Cursor['o']): Cursor | undefined {
  try {
    const { data } = cursor.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return data?.s === sort && data.o === order ? data : undefined
  } catch {
    return undefined
  }
}
