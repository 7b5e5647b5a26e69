import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { ifThere } from './files.ts'
import type { Layout } from './layout.ts'

const WRITABLE_FOR_ALL = 0o002
const STICKY = 0o1000

/**
 * Whether other users of the host can plant or replace files in a data directory.
 *
 * @returns a sentence for the operator for each problem.
 * @throws the OS error.
 */
export async function exposures(layout: Layout): Promise<readonly string[]> {
  const [user, group] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  const exposed: string[] = []
  for (const folder of [layout.root, ...layout.folders]) {
    const stats = await ifThere(() => lstat(folder))
    if (stats === undefined) continue
    const isForeign = stats.uid !== user && stats.uid !== 0
    if (isForeign || (!stats.isSymbolicLink() && (stats.mode & WRITABLE_FOR_ALL) !== 0)) exposed.push(folder)
  }
  const places = exposed.join(' ')
  const parent = path.dirname(layout.root)
  const { mode } = await lstat(parent)
  const isReplaceable = (mode & WRITABLE_FOR_ALL) !== 0 && (mode & STICKY) === 0
  return [
    ...(exposed.length === 0
      ? []
      : [
          `Other users can change files in ${exposed.join(', ')}. ` +
            `Run as root: chown -h ${user}:${group} ${places} && chmod o-w ${places}`,
        ]),
    ...(isReplaceable ? [`Other users can replace ${layout.root}. Run as root: chmod o-w ${parent}`] : []),
  ]
}
