/** How much a read brings at once, in bytes. */
const LARGE = 256 * 1024
/** The same when all large buffers are lent: many readers shall not fill the memory. */
const SMALL = 64 * 1024
/** How many large buffers there are at most in the process. */
const MOST = 64

const free: Buffer[] = []
let made = 0

/**
 * Lends a buffer for reading `bytes` bytes, or some of them at a time. Buffers are used again and again: new ones of this size
 * would cost the process more in page faults than the reads themselves.
 */
export function borrow(bytes: number): Buffer {
  if (bytes <= SMALL) return Buffer.allocUnsafe(bytes)
  const known = free.pop()
  if (known !== undefined) return known
  if (made >= MOST) return Buffer.allocUnsafe(SMALL)
  made += 1
  return Buffer.allocUnsafeSlow(LARGE)
}

/** Takes a buffer back that nobody reads into or looks at any more. */
export function giveBack(buffer: Buffer): void {
  if (buffer.length === LARGE) free.push(buffer)
}
