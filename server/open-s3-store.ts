import { mkdir } from 'node:fs/promises'
import type { Store } from './core/store.ts'
import { Layout } from './disk/layout.ts'
import { takeOwnership } from './disk/owner.ts'
import type { Environment } from './s3/environment.ts'
import { S3Store } from './s3/s3-store.ts'

/**
 * Opens the uploads in a bucket. The data directory has only notes that may be lost; one process at a time uses it.
 *
 * @throws Error with a sentence for the operator when the directory cannot be used.
 */
export async function openS3Store(dataDir: string, bucket: Environment): Promise<Store> {
  const layout = new Layout(dataDir)
  for (const folder of [layout.senders, layout.visitors]) await mkdir(folder, { recursive: true, mode: 0o700 })
  const owner = await takeOwnership(layout)
  return new S3Store(bucket, () => owner.release())
}
