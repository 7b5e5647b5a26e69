/** Bytes of each file in memory at a time. */
const BLOCK = 4 * 1024 * 1024

/**
 * Whether two files have the same bytes.
 *
 * Calls `compared` with the equal share, from 0 to 1; it returns false to end the comparison. Throws a DOMException if
 * a file cannot be read.
 */
export async function sameBytes(a: Blob, b: Blob, compared: (share: number) => boolean): Promise<boolean> {
  if (a.size !== b.size) return false
  for (let start = 0; start < a.size; start += BLOCK) {
    const [mine, other] = await Promise.all([bytesAt(a, start), bytesAt(b, start)])
    if (!equal(mine, other)) return false
    if (!compared(Math.min(1, (start + BLOCK) / a.size))) return false
  }
  return true
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

async function bytesAt(blob: Blob, start: number): Promise<Uint8Array> {
  return new Uint8Array(await blob.slice(start, start + BLOCK).arrayBuffer())
}
