import type { Upload } from './upload.ts'

/**
 * Since when the upload expires, unless a byte arrives: when the last one did, or the upload was created.
 *
 * @returns `undefined` if it does not expire by itself.
 */
export async function idleSince(upload: Upload): Promise<Date | undefined> {
  const { final, parts } = upload.record
  const stays = upload.state !== 'receiving' && upload.state !== 'sealed'
  // Related uploads expire together, later than each of them would.
  return stays || final !== undefined || parts !== undefined ? undefined : upload.lastChange()
}
