import { createCipheriv, createHash } from 'node:crypto'

export const MIB = 1024 * 1024

/** Pseudo-random bytes, reproducible by their seed. */
export function bytesOf(length: number, seed = 1): Buffer<ArrayBuffer> {
  const key = createHash('sha256').update(String(seed)).digest()
  return Buffer.from(createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length)))
}

/** As many bytes, each different. */
export function inverted(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ 0xff))
}
