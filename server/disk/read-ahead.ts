import type { FileHandle } from 'node:fs/promises'
import type { Range } from '../core/ranges.ts'
import { onDisk } from './disk-error.ts'
import { borrow, giveBack } from './read-buffers.ts'

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
