import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A new empty folder, removed by `dispose`. */
export async function temporaryFolder(): Promise<{ readonly path: string; dispose(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'landfall-test-'))
  return { path: folder, dispose: () => rm(folder, { recursive: true, force: true }) }
}
