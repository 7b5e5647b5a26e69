import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { temporaryFolder } from './folder.ts'

export interface UploadsOnDisk {
  readonly uploads: Uploads
  /** The data directory. */
  readonly folder: string
  /** Closes the uploads and opens the directory again. @returns the uploads in it. */
  reopen(): Promise<Uploads>
  /** Closes the uploads, if they are still open, and removes their directory. */
  dispose(): Promise<void>
}

/** Uploads in their own directory. */
export async function uploadsOnDisk(): Promise<UploadsOnDisk> {
  const folder = await temporaryFolder()
  const open = (): Promise<Uploads> => openStore({ directory: folder.path, sync: 'never' })
  let uploads = await open()
  return {
    uploads,
    folder: folder.path,
    reopen: async () => {
      await uploads.close()
      uploads = await open()
      return uploads
    },
    dispose: async () => {
      await uploads.close()
      await folder.dispose()
    },
  }
}
