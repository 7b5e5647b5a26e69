import type { FileHandle } from 'node:fs/promises'
import { bytesIn } from '../core/reader.ts'
import { diskError } from './disk-error.ts'

/**
 * Writes all of the buffers at `position`. `writev` may write less than it was given without an error: then the rest follows.
 *
 * @param written told how many bytes reached the file when it fails after a part of them.
 */
export async function writeAll(
  file: Pick<FileHandle, 'writev'>,
  buffers: readonly Buffer[],
  position: number,
  written: (bytes: number) => void = () => undefined,
): Promise<number> {
  const total = bytesIn(buffers)
  let left = [...buffers]
  let done = 0
  try {
    while (done < total) {
      const { bytesWritten } = await file.writev(left, position + done)
      done += bytesWritten
      left = skip(left, bytesWritten)
    }
  } catch (error) {
    written(done)
    throw diskError(error)
  }
  return done
}

function skip(buffers: Buffer[], bytes: number): Buffer[] {
  let toSkip = bytes
  const left: Buffer[] = []
  for (const buffer of buffers) {
    if (toSkip < buffer.length) left.push(buffer.subarray(toSkip))
    toSkip = Math.max(0, toSkip - buffer.length)
  }
  return left
}
