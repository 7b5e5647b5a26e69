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
 * @param part of the bucket, with a slash at its end.
 */
export function storeOn(openPort: () => S3Port, part = ''): StoreUnderTest {
  const open = (): S3Store =>
    new S3Store({
      port: openPort(),
      bucket: 'bucket',
      prefix: `${part}.landfall/`,
      keyOf: ({ id, fileName }) => `${part}files/${id}/${fileName}`,
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
