import { mkdir } from 'node:fs/promises'
import { systemCode } from '../core/errors.ts'

/**
 * Makes a folder, unless it is there, in one that is. (What Node makes with `recursive` hides why it could not be made: a full
 * disk becomes a folder that does not exist.)
 *
 * @throws the system's error.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}
