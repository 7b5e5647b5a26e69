import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { temporaryFolder } from './folder.ts'

export interface UploadsOnDisk {
  readonly uploads: Uploads
  /** The data directory. */
  readonly folder: string
  /** Closes the uploads, which may be closed already, and removes their folder. */
  dispose(): Promise<void>
}

/** Uploads in a folder of their own. */
export async function uploadsOnDisk(): Promise<UploadsOnDisk> {
  const folder = await temporaryFolder()
  const uploads = await openStore({ directory: folder.path, sync: 'never' })
  return {
    uploads,
    folder: folder.path,
    dispose: async () => {
      await uploads.close()
      await folder.dispose()
    },
  }
}
