import type { FileHandle } from 'node:fs/promises'
import type { Range } from '../core/ranges.ts'
import { onDisk } from './disk-error.ts'

/** How much a read brings at once, in bytes. */
const LARGE = 256 * 1024
/** The same when all large buffers are lent: many readers shall not fill the memory. */
const SMALL = 64 * 1024
/** How many large buffers there are at most in the process. */
const MOST = 64

const free: Buffer[] = []
let made = 0

/**
 * The bytes of a range that is not empty, as far as the file has them. The next are read while the last are used, into two buffers
 * in turns: each is the caller's until it asks for the next. The file is closed at the end.
 *
 * @throws UploadError `storage_error`.
 */
export async function* readAhead(file: FileHandle, range: Range): AsyncGenerator<Buffer> {
  const buffers: Buffer[] = []
  const fill = async (at: number, turn: number): Promise<Buffer> => {
    const buffer = buffers[turn % 2] ?? borrow(range.end - at)
    buffers[turn % 2] = buffer
    const { bytesRead } = await onDisk(() => file.read(buffer, 0, Math.min(buffer.length, range.end - at), at))
    return buffer.subarray(0, bytesRead)
  }
  let ahead = fill(range.start, 0)
  try {
    for (let position = range.start, turn = 1; position < range.end; turn++) {
      const bytes = await ahead
      if (bytes.length === 0) return
      position += bytes.length
      if (position < range.end) {
        ahead = fill(position, turn)
        // Whoever asks for these bytes gets the error.
        ahead.catch(() => undefined)
      }
      yield bytes
    }
  } finally {
    await ahead.catch(() => undefined)
    for (const buffer of buffers) giveBack(buffer)
    await file.close()
  }
}

/**
 * Lends a buffer for reading `bytes` bytes, or some of them at a time. Buffers are used again and again: new ones of this size
 * would cost the process more in page faults than the reads themselves.
 */
function borrow(bytes: number): Buffer {
  if (bytes <= SMALL) return Buffer.allocUnsafe(bytes)
  const known = free.pop()
  if (known !== undefined) return known
  if (made >= MOST) return Buffer.allocUnsafe(SMALL)
  made += 1
  return Buffer.allocUnsafeSlow(LARGE)
}

/** Takes a buffer back that nobody reads into or looks at any more. */
function giveBack(buffer: Buffer): void {
  if (buffer.length === LARGE) free.push(buffer)
}
