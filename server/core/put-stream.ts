import type { Claim } from './claims.ts'
import { compareRange } from './comparison.ts'
import { UploadError } from './errors.ts'
import { type Range, runEnd } from './ranges.ts'
import { bytesIn, Reader } from './reader.ts'
import type { Source } from './source.ts'
import type { StoredUpload } from './store.ts'

/** How far a stream claims ahead, in bytes: enough for the next few writes, so that chunks elsewhere are not kept waiting. */
const WINDOW = 4 * 1024 * 1024

/** What a put needs of its upload. */
export interface PutTarget {
  readonly stored: StoredUpload
  /** Waits for what is missing of the put's range, all at once, with the body unread. */
  claimMissing(): Promise<Claim>
  /** Waits for the free beginning of what `want` asks for. */
  claimWindow(want: () => Range | undefined): Promise<Claim>
  /** Where the upload ends at the latest, in bytes: its length, or what the service allows while that is unknown. */
  limit(): number
  /** Throws what keeps the upload from taking bytes: it failed, or it is gone. Asked after every wait. */
  check(): void
  /** Told which bytes count now, when they come in order: they may still be looked at. */
  written(position: number, bytes: readonly Buffer[]): void
  /** Told after each commit. */
  committed(): void
}

/**
 * Writes a stream of bytes from `start` on; each batch counts once it is written. Bytes that others have brought in the
 * meantime are compared and dropped. One window is claimed at a time, and none while waiting for the next.
 *
 * @throws UploadError what the source, the claims, or the store throw; `too_large` for bytes beyond the end. What counted
 * before keeps counting.
 */
export async function putStream(target: PutTarget, start: number, source: Source): Promise<void> {
  const reader = new Reader(source)
  let position = start
  for (;;) {
    target.check()
    const known = Math.min(runEnd(target.stored.received, position), target.limit())
    const next =
      known > position
        ? await compareRun(target, reader, { start: position, end: known })
        : position < target.limit()
          ? await writeWindow(target, reader, position)
          : await expectEnd(reader)
    if (next === undefined) return
    position = next
  }
}

/** @returns where to go on, or `undefined` at the end of the body. */
async function compareRun(target: PutTarget, reader: Reader, run: Range): Promise<number | undefined> {
  return (await compareRange(target.stored, run, reader)) ? run.end : undefined
}

/** @returns where to go on, or `undefined` at the end of the body. */
async function writeWindow(target: PutTarget, reader: Reader, start: number): Promise<number | undefined> {
  const claim = await target.claimWindow(() => freeWindow(target, start))
  try {
    target.check()
    const end = claim.ranges[0]?.end ?? start
    let position = start
    while (position < end) {
      const bytes = await reader.take(end - position)
      if (bytes === null) return undefined
      await writeBatch(target, position, bytes)
      position += bytesIn(bytes)
    }
    return position
  } finally {
    claim.release()
  }
}

async function writeBatch(target: PutTarget, position: number, bytes: Buffer[]): Promise<void> {
  const attempt = await target.stored.begin({ start: position, end: position + bytesIn(bytes) }, 'as-received')
  try {
    await attempt.write(bytes)
  } finally {
    // What reached the disk before a failure counts, too: the offset tells it.
    await attempt.commit()
    target.committed()
  }
  target.written(position, bytes)
}

function freeWindow(target: PutTarget, start: number): Range | undefined {
  const { received } = target.stored
  if (runEnd(received, start) > start) return undefined
  const nextReceived = received.find((range) => range.start > start)?.start ?? Number.POSITIVE_INFINITY
  return { start, end: Math.min(start + WINDOW, target.limit(), nextReceived) }
}

async function expectEnd(reader: Reader): Promise<undefined> {
  if ((await reader.take(1)) !== null)
    throw new UploadError('too_large', 'The body goes on beyond the end of the upload.')
}
