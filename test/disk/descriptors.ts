import { readdir, readlink } from 'node:fs/promises'
import path from 'node:path'
import type { Program } from '../support/program.ts'

/** The files and folders below a folder that a program has open, in order. */
export async function openFiles(program: Program, folder: string): Promise<string[]> {
  const descriptors = `/proc/${program.process.pid}/fd`
  const names = await readdir(descriptors)
  // Some are closed in the meantime.
  const targets = await Promise.all(names.map((name) => readlink(path.join(descriptors, name)).catch(() => '')))
  return targets.filter((target) => target.startsWith(`${folder}/`)).sort()
}
