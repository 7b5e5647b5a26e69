import { compareRange } from './comparison.ts'
import { UploadError } from './errors.ts'
import type { Destination, Put } from './put.ts'
import { type Range, runEnd } from './ranges.ts'
import { bytesIn, Reader } from './reader.ts'

/**
 * How far a stream claims ahead, in bytes: enough for the next few writes, but not so far that chunks elsewhere must
 * wait.
 */
const WINDOW = 4 * 1024 * 1024

/**
 * Writes a stream of bytes from the start of its range; each batch counts once it is written. Bytes that other requests
 * have written meanwhile are compared and dropped. One window is claimed at a time, and none while waiting for the
 * next.
 *
 * @throws UploadError what the source, the claims, or the store throw; `too_large` for bytes beyond the end. What
 * counted before keeps counting.
 */
export async function putStream(upload: Destination, put: Put): Promise<void> {
  const reader = new Reader(put.source)
  let position = put.range.start
  for (;;) {
    upload.check()
    const known = Math.min(runEnd(upload.stored.received, position), endOf(upload, put))
    const next =
      known > position
        ? await compareRun(upload, reader, { start: position, end: known })
        : position < endOf(upload, put)
          ? await writeWindow(upload, put, reader, position)
          : await expectEnd(reader)
    if (next === undefined) return
    position = next
  }
}

/** Where the upload ends at most, in bytes: its length may become known meanwhile. */
function endOf({ stored }: Destination, { range }: Put): number {
  return stored.record.length ?? range.end
}

/** @returns where to continue, or `undefined` at the end of the body. */
async function compareRun(upload: Destination, reader: Reader, run: Range): Promise<number | undefined> {
  return (await compareRange(upload.stored, run, reader)) ? run.end : undefined
}

/** @returns where to continue, or `undefined` at the end of the body. */
async function writeWindow(upload: Destination, put: Put, reader: Reader, start: number): Promise<number | undefined> {
  const claim = await put.claimLeading(() => freeWindow(upload, put, start))
  try {
    upload.check()
    const end = claim.ranges[0]?.end ?? start
    let position = start
    while (position < end) {
      const bytes = await reader.take(end - position)
      if (bytes === null) return undefined
      await writeBatch(upload, position, bytes)
      position += bytesIn(bytes)
    }
    return position
  } finally {
    claim.release()
  }
}

async function writeBatch(upload: Destination, position: number, bytes: Buffer[]): Promise<void> {
  const attempt = await upload.stored.begin({ start: position, end: position + bytesIn(bytes) }, 'as-received')
  try {
    await attempt.write(bytes)
  } finally {
    // What reached the disk before a failure counts, too: the offset includes it.
    await attempt.commit()
    upload.committed()
  }
  upload.passed(position, bytes)
}

function freeWindow(upload: Destination, put: Put, start: number): Range | undefined {
  const { received } = upload.stored
  if (runEnd(received, start) > start) return undefined
  const nextReceived = received.find((range) => range.start > start)?.start ?? Number.POSITIVE_INFINITY
  return { start, end: Math.min(start + WINDOW, endOf(upload, put), nextReceived) }
}

async function expectEnd(reader: Reader): Promise<undefined> {
  if ((await reader.take(1)) !== null) {
    throw new UploadError('too_large', 'The body continues beyond the end of the upload.')
  }
}
