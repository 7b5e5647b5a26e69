import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { StoredUpload } from '../../server/core/store.ts'
import { bootId } from '../../server/disk/boot-id.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { type Layout, RECORD_ENDING } from '../../server/disk/layout.ts'

/** What uploads cost, as the documentation of the limits says. */
export interface Cost {
  readonly bytes: number
  readonly files: number
  readonly unfinished: number
}

/** An upload on disk. */
export interface Counted {
  readonly id: string
  /** Who is charged: its owner, or the network of its client. */
  readonly account: string
  readonly cost: Cost
  /** Allocated bytes. */
  readonly occupied: number
}

const MIB = 1024 * 1024
const BLOCK = 4096

/**
 * Counts what the uploads in a data directory cost, which no process is using. It looks at each file, and shares
 * nothing with the ledger of the service.
 */
export async function countOnDisk(layout: Layout): Promise<readonly Counted[]> {
  const options = { directory: layout.root, sync: 'never', boot: bootId(), onNotice: () => undefined } as const
  const store = await DiskStore.open(options)
  try {
    const counted: Counted[] = []
    for (const id of await idsIn(layout)) {
      const found = await store.open(id)
      if (found.kind !== 'upload') continue
      const { upload } = found
      const { owner, account } = upload.record
      const { bytes: occupied } = await upload.occupied()
      counted.push({ id, account: owner ?? account ?? '', cost: await costOf(upload, occupied, layout), occupied })
      await upload.close()
    }
    return counted
  } finally {
    await store.close()
  }
}

async function idsIn(layout: Layout): Promise<readonly string[]> {
  const ids: string[] = []
  for (const folder of await readdir(layout.records)) {
    const names = await readdir(path.join(layout.records, folder))
    ids.push(...names.filter((name) => name.endsWith(RECORD_ENDING)).map((name) => path.basename(name, RECORD_ENDING)))
  }
  return ids
}

async function costOf(upload: StoredUpload, occupied: number, layout: Layout): Promise<Cost> {
  const { record, finished, received } = upload
  const { metadata, rawMetadata = '' } = record
  // The record and its directory.
  const least = wholeBlocks(1024 + Buffer.byteLength(JSON.stringify([metadata, rawMetadata]))) + BLOCK
  if (finished) {
    const { size } = await stat(layout.finishedFile(record))
    return { bytes: least + wholeBlocks(size), files: 1, unfinished: 0 }
  }
  // Its final upload is charged for the bytes of a part.
  if (record.joined) return { bytes: least, files: 1, unfinished: 0 }
  if (record.failed !== undefined) return { bytes: occupied, files: 1, unfinished: 0 }
  const end = received.at(-1)?.end ?? 0
  const isOpenEnded = record.length === null || record.parts !== undefined
  const reserved = isOpenEnded ? wholeSteps(end) : wholeBlocks(record.length ?? 0)
  return { bytes: least + reserved, files: 1, unfinished: 1 }
}

function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK
}

/** Steps of 1 MiB, which double with the file up to 64 MiB. */
function wholeSteps(bytes: number): number {
  if (bytes === 0) return 0
  const step = Math.min(64 * MIB, Math.max(MIB, 2 ** Math.ceil(Math.log2(bytes))))
  return Math.ceil(bytes / step) * step
}

/** The sums of costs, in total and by account. */
export function sumsOf(counted: readonly Counted[]): { total: Cost; accounts: Map<string, Cost> } {
  let total: Cost = { bytes: 0, files: 0, unfinished: 0 }
  const accounts = new Map<string, Cost>()
  for (const { account, cost } of counted) {
    total = plus(total, cost)
    if (account !== '')
      accounts.set(account, plus(accounts.get(account) ?? { bytes: 0, files: 0, unfinished: 0 }, cost))
  }
  return { total, accounts }
}

function plus(a: Cost, b: Cost): Cost {
  return { bytes: a.bytes + b.bytes, files: a.files + b.files, unfinished: a.unfinished + b.unfinished }
}
