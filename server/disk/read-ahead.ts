import type { FileHandle } from 'node:fs/promises'
import type { Range } from '../core/ranges.ts'
import { onDisk } from './disk-error.ts'

/** Bytes per read. */
const LARGE_BUFFER = 256 * 1024
/** Bytes per read when all large buffers are in use, which bounds the memory of many readers. */
const SMALL_BUFFER = 64 * 1024
/** Maximum large buffers in the process. */
const MAX_LARGE_BUFFERS = 64

const free: Buffer[] = []
let made = 0

/**
 * Reads a range that is not empty, up to the end of the file, into two alternating buffers: one is filled while the
 * caller uses the other, which is valid until the caller asks for the next. Closes the file at the end.
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
        // The caller that asks for these bytes gets the error.
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
 * Lends a buffer for reading up to `bytes` bytes. Large buffers are reused: the page faults of new ones would cost more
 * than the reads.
 */
function borrow(bytes: number): Buffer {
  if (bytes <= SMALL_BUFFER) return Buffer.allocUnsafe(bytes)
  const known = free.pop()
  if (known !== undefined) return known
  if (made >= MAX_LARGE_BUFFERS) return Buffer.allocUnsafe(SMALL_BUFFER)
  made += 1
  return Buffer.allocUnsafeSlow(LARGE_BUFFER)
}

/** Takes back a buffer that is no longer in use. */
function giveBack(buffer: Buffer): void {
  if (buffer.length === LARGE_BUFFER) free.push(buffer)
}
