import { createHash } from 'node:crypto'

/** The S3 engine on which services keep their uploads in this run, instead of the disk: `ENDPOINT/BUCKET`. */
const BUCKET = process.env['TEST_BUCKET']

/** Whether uploads are in a bucket in this run: then nothing of them is in data directories. */
export const isInBucket = BUCKET !== undefined

/**
 * The settings of the store of a service under test: those of `TEST_BUCKET`, or none for the disk. Each data directory
 * has its own part of the bucket.
 */
export function bucketSettings(dataDir: string): Readonly<Record<string, string>> {
  if (BUCKET === undefined) return {}
  const { origin, pathname, username, password } = new URL(BUCKET)
  const part = createHash('sha256').update(dataDir).digest('hex').slice(0, 16)
  return {
    STORE: 's3',
    S3_ENDPOINT: origin,
    S3_BUCKET: pathname.slice(1),
    S3_ACCESS_KEY_ID: username,
    S3_SECRET_ACCESS_KEY: password,
    S3_PREFIX: `${part}/.landfall/`,
    S3_KEY: `${part}/files/{folder}/{id}/{name}`,
    SECRET: 'a secret of thirty-two characters',
  }
}
