import { locationOf } from '../../server/open-s3-store.ts'
import { parseSettings } from '../../server/read-settings.ts'
import { passedKey } from '../../server/s3/passed-self-test.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'

/** Says in the bucket of these settings that its engine has passed the self-test: it takes a second per directory. */
export async function notePassedSelfTest(settings: Readonly<Record<string, string>>): Promise<void> {
  const parsed = parseSettings(settings)
  const port = new SdkPort(locationOf(parsed))
  await port.put(passedKey(parsed.S3_PREFIX), Buffer.alloc(0))
  port.close()
}
