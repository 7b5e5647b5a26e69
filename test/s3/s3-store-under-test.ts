import { randomUUID } from 'node:crypto'
import { cellSizes } from '../../server/s3/cells.ts'
import { systemClock } from '../../server/s3/clock.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import type { StoreUnderTest } from '../support/store-contract.ts'

/** The same after a reopen: the store of another process would wait until its predecessor has been silent. */
const NODE = randomUUID()

/**
 * A store in a bucket, each time as another process.
 *
 * @param folder where its keys begin; ends with a slash.
 */
export function storeOn(port: S3Port, folder = ''): StoreUnderTest {
  const open = (): S3Store =>
    new S3Store({
      port,
      prefix: `${folder}.landfall/`,
      keyOf: ({ id, fileName }) => `${folder}files/${id}/${fileName}`,
      node: NODE,
      cells: cellSizes(8 * 1024 * 1024),
      clock: systemClock,
      parallel: 4,
      flushAfter: 30_000,
      budget: new MemoryBudget(256 * 1024 * 1024),
      keepsRejected: true,
    })
  const under: StoreUnderTest = {
    store: open(),
    reopen: async () => {
      await under.store.close()
      under.store = open()
    },
    dispose: () => under.store.close(),
  }
  return under
}
