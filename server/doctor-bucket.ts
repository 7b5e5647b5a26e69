import { s3Environment, testBucket } from './open-s3-store.ts'
import { type BucketFinding, examineBucket } from './s3/examine.ts'
import { S3Error } from './s3/s3-error.ts'
import type { Settings } from './settings.ts'

/**
 * Tests the S3 service of the settings, and examines the uploads in its bucket.
 *
 * @param print receives lines for the operator.
 * @throws Error with a sentence for the operator when the bucket cannot be read.
 */
export async function* examineSettings(
  settings: Settings,
  print: (line: string) => void,
): AsyncGenerator<BucketFinding> {
  const environment = s3Environment(settings)
  try {
    for (const { isFatal, sentence } of await testBucket(settings, environment.port)) {
      if (isFatal) yield { place: settings.S3_BUCKET, sentence, repair: undefined }
      else print(`${settings.S3_BUCKET}: ${sentence}`)
    }
    yield* examineBucket(environment)
  } catch (error) {
    throw error instanceof S3Error ? new Error(error.message) : error
  } finally {
    environment.port.close()
  }
}
