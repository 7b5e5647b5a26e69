import { chmod, lstat } from 'node:fs/promises'
import path from 'node:path'
import { exposures } from './exposure.ts'
import { ifThere } from './files.ts'
import type { Finding } from './finding.ts'
import type { Layout } from './layout.ts'
import { PRIVATE_FILE, PRIVATE_FOLDER } from './modes.ts'

const FOR_OTHERS = 0o077

/** Finds what other users of the host can read or change, although it is for the service only. */
export async function examinePermissions(layout: Layout): Promise<Finding[]> {
  const findings: Finding[] = (await exposures(layout)).map((sentence) => ({ place: '.', sentence, repair: undefined }))
  const own = layout.folders.filter((folder) => folder !== layout.files)
  for (const [place, bits] of [
    ...own.map((folder) => [folder, PRIVATE_FOLDER.bits] as const),
    [layout.secret, PRIVATE_FILE.bits] as const,
  ]) {
    const stats = await ifThere(() => lstat(place))
    if (stats === undefined || stats.isSymbolicLink() || (stats.mode & FOR_OTHERS) === 0) continue
    findings.push({
      place: path.relative(layout.root, place),
      sentence: 'Other users can read it.',
      repair: { sentence: 'close it to them', run: () => chmod(place, bits) },
    })
  }
  return findings
}
