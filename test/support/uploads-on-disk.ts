import { MemoryClaims } from '../../server/core/memory-claims.ts'
import { Uploads } from '../../server/core/uploads.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { temporaryFolder } from './folder.ts'

export interface UploadsOnDisk {
  readonly uploads: Uploads
  /** The data folder. */
  readonly folder: string
  /** Closes the uploads, which may be closed already, and removes their folder. */
  dispose(): Promise<void>
}

/** Uploads in a folder of their own. */
export async function uploadsOnDisk(): Promise<UploadsOnDisk> {
  const folder = await temporaryFolder()
  const store = await DiskStore.open({ directory: folder.path, sync: 'never', boot: 'boot', onNotice: () => undefined })
  const uploads = new Uploads(store, new MemoryClaims(), Number.POSITIVE_INFINITY)
  return {
    uploads,
    folder: folder.path,
    dispose: async () => {
      await uploads.close()
      await folder.dispose()
    },
  }
}
