import { MemoryClaims } from './core/memory-claims.ts'
import { Uploads } from './core/uploads.ts'
import { bootId } from './disk/boot-id.ts'
import { DiskStore, type DiskStoreOptions } from './disk/disk-store.ts'

export type OpenStoreOptions = Pick<DiskStoreOptions, 'directory' | 'sync' | 'onStep'> &
  Partial<Pick<DiskStoreOptions, 'boot' | 'onNotice' | 'fileMode' | 'folderMode'>> & {
    /** Maximum bytes per upload; unlimited by default. */
    readonly maxSize?: number
  }

/**
 * Opens the uploads in a data directory: files on disk, claims in the memory of this process. Close the returned
 * uploads to close the directory.
 *
 * @throws Error with a sentence for the operator when the directory cannot be used or belongs to a running process.
 */
export async function openStore({
  maxSize = Number.POSITIVE_INFINITY,
  boot = bootId(),
  onNotice = () => undefined,
  ...options
}: OpenStoreOptions): Promise<Uploads> {
  const store = await DiskStore.open({ ...options, boot, onNotice })
  return new Uploads(store, new MemoryClaims(), maxSize)
}
