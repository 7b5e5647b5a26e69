import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { temporaryFolder } from './folder.ts'

export interface UploadsOnDisk {
  readonly uploads: Uploads
  /** The data directory. */
  readonly folder: string
  /** Closes the uploads, if they are still open, and removes their directory. */
  dispose(): Promise<void>
}

/** Uploads in their own directory. */
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
