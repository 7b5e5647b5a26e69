import { readdir, readlink } from 'node:fs/promises'
import path from 'node:path'

/** The open files and directories of a process below a directory, in order. */
export async function openFiles(pid: number | undefined, folder: string): Promise<string[]> {
  const descriptors = `/proc/${pid}/fd`
  const names = await readdir(descriptors)
  // Some may be closed meanwhile.
  const targets = await Promise.all(names.map((name) => readlink(path.join(descriptors, name)).catch(() => '')))
  return targets.filter((target) => target.startsWith(`${folder}/`)).sort()
}
