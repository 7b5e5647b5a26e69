import { isDeepStrictEqual } from 'node:util'
import { Ledger } from '../../server/core/ledger.ts'
import type { KeptTotals } from '../../server/core/sums.ts'
import type { Layout } from '../../server/disk/layout.ts'
import { readUsage } from '../../server/disk/usage-file.ts'
import { openStore } from '../../server/open-store.ts'
import { Violation } from './model.ts'

/**
 * Counts what the uploads in a data directory cost, which no process is using.
 *
 * @throws Violation unless the last process has kept the same totals when it ended.
 */
export async function checkLedger(layout: Layout): Promise<void> {
  const kept = await readUsage(layout)
  const ledger = new Ledger()
  const uploads = await openStore({ directory: layout.root, sync: 'never', ledger })
  try {
    await uploads.sweeps.recount(ledger)
  } finally {
    await uploads.close()
  }
  const counted = ledger.kept()
  if (kept !== undefined && isDeepStrictEqual(comparable(kept), comparable(counted))) return
  throw new Violation(`The ledger has ${JSON.stringify(kept?.total)}, but a recount ${JSON.stringify(counted.total)}`)
}

function comparable({ total, accounts }: KeptTotals): unknown {
  return { total, accounts: new Map(accounts) }
}
