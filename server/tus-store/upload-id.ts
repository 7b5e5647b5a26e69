import { createHash } from 'node:crypto'
import { isUploadId } from '../core/record.ts'

/**
 * The id in the store of an upload that `namingFunction` has named. Names that are no ids, for example with a slash,
 * are replaced by a digest.
 */
export function uploadIdOf(name: string): string {
  return isUploadId(name) ? name : createHash('sha256').update(name).digest('hex')
}
