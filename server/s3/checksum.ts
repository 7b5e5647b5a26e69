import { crc32 } from 'node:zlib'

/** The CRC32 of a body in Base64, as `x-amz-checksum-crc32` has it. */
export function checksumOf(body: Buffer): string {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(body))
  return checksum.toString('base64')
}
