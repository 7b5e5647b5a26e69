import { statfs } from 'node:fs/promises'
import { onDisk } from './disk-error.ts'

/** File systems that several hosts can mount, by the number that Linux has for each. */
const NETWORK = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xc36400, 'CephFS'],
])

/**
 * A sentence for the operator when other hosts may have mounted the disk of a data directory: the socket of an owner is
 * seen only on its own host.
 *
 * @throws UploadError `storage_error`.
 */
export async function sharedDiskNotices(folder: string): Promise<readonly string[]> {
  const { type } = await onDisk(() => statfs(folder))
  return process.platform === 'linux' ? noticesOf(folder, type) : []
}

/** @param type the number of the file system. */
export function noticesOf(folder: string, type: number): readonly string[] {
  // 32 bits, with or without a sign.
  const name = NETWORK.get(type >>> 0)
  if (name === undefined) return []
  return [`${folder} is on ${name}. A service on another host would not notice this one: start it on one host only.`]
}
