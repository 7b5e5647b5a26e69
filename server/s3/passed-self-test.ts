import type { Probe } from './probe.ts'
import { S3Error } from './s3-error.ts'
import type { S3Port } from './s3-port.ts'
import { checkSettings, type Finding, selfTest } from './self-test.ts'

/** How long a self-test counts that was passed, in milliseconds: engines are updated. */
const VALID = 24 * 60 * 60 * 1000

/** The object that says that the self-test was passed. */
export function passedKey(prefix: string): string {
  return `${prefix}self-test/passed`
}

/**
 * The self-test, unless it was passed within a day: then only the settings of the bucket are checked, and a service
 * starts at once.
 */
export async function testUnlessPassed(
  port: S3Port,
  probe: Probe,
  prefix: string,
  filePrefix: string,
): Promise<readonly Finding[]> {
  try {
    const { found, date } = await port.get(passedKey(prefix))
    if (found !== undefined && date - found.lastModified < VALID) return await checkSettings(probe, prefix, filePrefix)
    const findings = await selfTest(port, probe, prefix, filePrefix)
    if (!findings.some(({ isFatal }) => isFatal)) await port.put(passedKey(prefix), Buffer.alloc(0))
    return findings
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    return [{ isFatal: true, sentence: `The bucket cannot be used. ${error.message}` }]
  }
}
