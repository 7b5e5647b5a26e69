import { existsSync } from 'node:fs'
import { systemCode } from '../core/errors.ts'
import type { Layout } from './layout.ts'

/**
 * Runs a part of the start.
 *
 * @throws Error with a sentence for the operator when this user may not use the data directory.
 */
export async function withAccess<T>({ root }: Layout, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const sentence = sentenceFor(systemCode(error), root)
    throw sentence === undefined ? error : new Error(sentence)
  }
}

function sentenceFor(code: string | undefined, root: string): string | undefined {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  // The error of mkdir in a parent without write access differs between systems.
  if (code !== undefined && !existsSync(root)) {
    return (
      `The data directory ${root} does not exist and cannot be created. ` +
      `Run as root: install -d -o ${uid} -g ${gid} ${root}`
    )
  }
  if (code === 'EROFS') return `The data directory ${root} is on a read-only file system. Mount a volume there.`
  if (code !== 'EACCES' && code !== 'EPERM') return undefined
  return (
    `The data directory ${root}, or something in it, belongs to another user. ` +
    `Run as root: chown -R ${uid}:${gid} ${root}`
  )
}
