import { systemCode } from '../core/errors.ts'
import type { Layout } from './layout.ts'

/**
 * Runs a part of the start.
 *
 * @throws Error with a sentence that says what to do when the file system lets this user not work in the data folder.
 */
export async function withAccess<T>({ root }: Layout, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EACCES' || code === 'EPERM') {
      const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
      throw new Error(
        `The data folder ${root}, or something in it, belongs to another user. Run as root: chown -R ${user} ${root}`,
      )
    }
    if (code === 'EROFS') {
      throw new Error(
        `The data folder ${root} is on a read-only file system. Mount a volume there, or choose another DATA_DIR.`,
      )
    }
    throw error
  }
}
