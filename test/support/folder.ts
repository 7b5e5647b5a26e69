import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface TemporaryFolder {
  readonly path: string
  dispose(): Promise<void>
}

/** A new empty directory, removed by `dispose`. */
export function temporaryFolder(): Promise<TemporaryFolder> {
  return folderIn(tmpdir())
}

/** The same in memory, if the OS supports that: for temporary files that are created many times. */
export function memoryFolder(): Promise<TemporaryFolder> {
  return folderIn(existsSync('/dev/shm') ? '/dev/shm' : tmpdir())
}

async function folderIn(place: string): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(place, 'landfall-test-'))
  return { path: folder, dispose: () => rm(folder, { recursive: true, force: true }) }
}
