import { isDeepStrictEqual } from 'node:util'
import type { Layout } from '../../server/disk/layout.ts'
import { readUsage } from '../../server/disk/usage-file.ts'
import { type UploadModel, Violation } from './model.ts'
import { type Counted, countOnDisk, sumsOf } from './recount.ts'

/** What an upload may occupy in addition to its cost, in bytes: the journal of an unfinished one. */
const MOST_UNCHARGED = 64 * 1024

/**
 * Compares the totals of a program that has stopped in order with the uploads in its data directory.
 *
 * @param groups the uploads of each owner.
 * @returns the uploads on disk.
 * @throws Violation unless the totals are the same, and each group belongs to one account of its own.
 */
export async function checkLedger(
  layout: Layout,
  groups: readonly (readonly UploadModel[])[],
): Promise<readonly Counted[]> {
  const kept = await readUsage(layout)
  const counted = await countOnDisk(layout)
  const { total, accounts } = sumsOf(counted)
  const keptAccounts = new Map(kept?.accounts)
  if (kept === undefined || !isDeepStrictEqual([kept.total, keptAccounts], [total, accounts])) {
    const [ledger, recount] = [kept && [kept.total, ...keptAccounts], [total, ...accounts]].map((v) =>
      JSON.stringify(v),
    )
    throw new Violation(`The ledger has ${ledger}, but a recount ${recount}`)
  }
  for (const { id, cost, occupied } of counted) {
    if (occupied > cost.bytes + MOST_UNCHARGED) {
      throw new Violation(`${id} occupies ${occupied} bytes, but is charged for ${cost.bytes}`)
    }
  }
  checkOwners(groups, counted)
  return counted
}

function checkOwners(groups: readonly (readonly UploadModel[])[], counted: readonly Counted[]): void {
  const accountOf = new Map(counted.map(({ id, account }) => [id, account]))
  const seen = groups.map((uploads) => new Set(uploads.flatMap(({ id }) => accountOf.get(id ?? '') ?? [])))
  if (
    seen.some(({ size }) => size > 1) ||
    new Set(seen.flatMap((names) => [...names])).size !== seen.flatMap((names) => [...names]).length
  ) {
    throw new Violation(
      `The uploads of the owners have the accounts ${seen.map((names) => [...names].join(' ')).join(' | ')}`,
    )
  }
}
