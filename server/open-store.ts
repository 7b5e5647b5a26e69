import type { Decisions } from './core/decisions.ts'
import type { Checks } from './core/gate.ts'
import { Headroom } from './core/headroom.ts'
import type { Ledger } from './core/ledger.ts'
import { MemoryClaims } from './core/memory-claims.ts'
import type { Reports } from './core/report.ts'
import type { Store } from './core/store.ts'
import { Uploads } from './core/uploads.ts'
import { bootId } from './disk/boot-id.ts'
import { DiskStore, type DiskStoreOptions } from './disk/disk-store.ts'

/** How a store is opened. */
export type OpenStoreOptions = Pick<DiskStoreOptions, 'directory' | 'sync' | 'maxRejected' | 'onStep'> &
  Partial<Pick<DiskStoreOptions, 'boot' | 'onNotice' | 'fileMode' | 'folderMode'>> & {
    /** Maximum bytes per upload; unlimited by default. */
    readonly maxSize?: number
    /** What a file must pass before it becomes visible. */
    readonly checks?: Checks
    /** Where events go. */
    readonly reports?: Reports | undefined
    /** Those of the application. */
    readonly decisions?: Decisions | undefined
    /** The template of the folders of finished files; without it, they are in none. */
    readonly folder?: string
    /** Is charged for all uploads. */
    readonly ledger?: Ledger
    /** Bytes and inodes that stay free; none by default. */
    readonly minFree?: number
    readonly minFreeInodes?: number
    /** Opens the store; by default, that in the directory. */
    readonly open?: (() => Promise<Store>) | undefined
  }

/**
 * Opens the uploads in a data directory: files on disk, claims in the memory of this process. Close the returned
 * uploads to close the directory.
 *
 * @throws Error with a sentence for the operator when the directory cannot be used or belongs to a running process.
 */
export async function openStore({
  maxSize = Number.POSITIVE_INFINITY,
  ledger,
  minFree = 0,
  minFreeInodes = 0,
  boot = bootId(),
  onNotice = () => undefined,
  checks = {},
  reports,
  decisions,
  folder,
  open,
  ...options
}: OpenStoreOptions): Promise<Uploads> {
  const store = open === undefined ? await DiskStore.open({ ...options, boot, onNotice }) : await open()
  await reports?.outbox?.begin(store).catch(async (error: unknown) => {
    await store.close()
    throw error
  })
  const headroom = new Headroom(() => store.space(), minFree, minFreeInodes, onNotice)
  return new Uploads(store, new MemoryClaims(), maxSize, { ledger, headroom, checks, reports, decisions, folder })
}
