/** The size of a write buffer, and so of the largest batch, in bytes. */
export const BUFFER_SIZE = 1024 * 1024
/** How many there are at most in the whole process; who gets none writes in smaller batches. */
const MOST = 32

const free: Buffer[] = []
let made = 0

/**
 * Lends a buffer of `BUFFER_SIZE` bytes; `undefined` when all are lent. What a socket brings comes in small buffers of its
 * own; copied into a large one that is used again and again, they die young, which spares the process page faults and
 * garbage collection that cost more than the copy.
 */
export function borrow(): Buffer | undefined {
  const buffer = free.pop()
  if (buffer !== undefined || made >= MOST) return buffer
  made += 1
  return Buffer.allocUnsafeSlow(BUFFER_SIZE)
}

/** Takes a buffer back; nobody may look at it any more. */
export function giveBack(buffer: Buffer): void {
  free.push(buffer)
}
