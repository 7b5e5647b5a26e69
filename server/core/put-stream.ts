import { compareRange } from './comparison.ts'
import { UploadError } from './errors.ts'
import { PendingCommits } from './pending-commits.ts'
import type { Destination, Put } from './put.ts'
import { lengthOf, type Range, runEnd } from './ranges.ts'
import { bytesIn, Reader } from './reader.ts'

/**
 * How far a stream claims ahead, in bytes: enough for the next few writes, but not so far that chunks elsewhere must
 * wait.
 */
const WINDOW = 4 * 1024 * 1024

/**
 * Writes a stream of bytes from the start of its range; they count as the attempts of the store are committed, also
 * those before a failure. Bytes that other requests have written meanwhile are compared and dropped. One window is
 * claimed at a time, and none while waiting for the next, except by commits that are pending.
 *
 * @throws UploadError what the source, the claims, or the store throw; `too_large` for bytes beyond the end. What
 * counted before keeps counting.
 */
export async function putStream(upload: Destination, put: Put): Promise<void> {
  const reader = new Reader(put.source)
  const commits = new PendingCommits(upload.stored.parallel)
  const stream: Stream = { upload, put, reader, commits, arriving: undefined }
  let position = put.range.start
  try {
    for (;;) {
      upload.check()
      const known = Math.min(runEnd(upload.stored.received, position), endOf(upload, put))
      const next =
        known > position
          ? await whileSettled(stream, compareRun(stream, { start: position, end: known }))
          : position < endOf(upload, put)
            ? await writeWindow(stream, position)
            : await whileSettled(stream, expectEnd(stream))
      if (next === undefined) break
      position = next
    }
    // The answer tells the offset.
    if (!commits.hadAny) await upload.stored.confirm()
  } finally {
    await commits.settled()
  }
}

/** A stream on its way into an upload. */
interface Stream {
  /** The next bytes, while they are awaited. */
  arriving: Promise<Buffer[] | null> | undefined
  readonly upload: Destination
  readonly put: Put
  readonly reader: Reader
  readonly commits: PendingCommits
}

/** Where the upload ends at most, in bytes: its length may become known meanwhile. */
function endOf({ stored }: Destination, { range }: Put): number {
  return stored.record.length ?? range.end
}

/** @returns where to continue, or `undefined` at the end of the body. */
async function compareRun({ upload, reader }: Stream, run: Range): Promise<number | undefined> {
  return (await compareRange(upload.stored, run, reader)) ? run.end : undefined
}

/** @returns where to continue, or `undefined` at the end of the body. */
async function writeWindow(stream: Stream, start: number): Promise<number | undefined> {
  const { upload, put, commits } = stream
  const claim = await whileSettled(
    stream,
    put.claimLeading(() => freeWindow(upload, put, start)),
  )
  const end = claim.ranges[0]?.end ?? start
  let position: number | undefined = start
  try {
    upload.check()
    while (position !== undefined && position < end) position = await writeAttempt(stream, { start: position, end })
    return position
  } finally {
    // Not while a write under the claim may be in flight.
    commits.afterThose(() => claim.release())
  }
}

/** Makes one attempt from the start of `room`. @returns where to continue, or `undefined` at the end of the body. */
async function writeAttempt(stream: Stream, room: Range): Promise<number | undefined> {
  const { upload, commits } = stream
  const first = await firstBytes(stream, lengthOf(room))
  if (first === null) return undefined
  const { stored } = upload
  let position = room.start
  const end = Math.min(room.end, position + Math.max(bytesIn(first), stored.stride(position)))
  const attempt = await stored.begin({ start: position, end }, 'as-received')
  const commit = async (): Promise<void> => {
    try {
      await attempt.commit()
    } catch (error) {
      upload.lost()
      throw error
    }
    upload.committed()
  }
  try {
    for (let bytes: Buffer[] = first; ; ) {
      await attempt.write(bytes)
      upload.passed(position, bytes)
      position += bytesIn(bytes)
      if (position >= end || attempt.isDue) return position
      const next = await nextBytes(stream, end - position)
      if (next === 'flush') return position
      if (next === null) return undefined
      bytes = next
    }
  } finally {
    // What was written before a failure counts, too: the offset includes it.
    await commits.add(commit())
  }
}

/** The next bytes of the body; `null` after the last, `flush` if somebody waits until those before them count. */
async function nextBytes(stream: Stream, most: number): Promise<Buffer[] | null | 'flush'> {
  stream.arriving ??= stream.reader.take(most)
  const { arriving } = stream
  let flush = (): void => undefined
  const next = new Promise<Buffer[] | null | 'flush'>((resolve, reject) => {
    flush = () => resolve('flush')
    arriving.then(resolve, reject)
  })
  const bytes = await stream.put.flushes.during(next, flush)
  if (bytes !== 'flush') stream.arriving = undefined
  return bytes
}

/** Like `nextBytes`, where nothing is written that will not count soon. */
async function firstBytes(stream: Stream, most: number): Promise<Buffer[] | null> {
  stream.arriving ??= stream.reader.take(most)
  const bytes = await whileSettled(stream, stream.arriving)
  stream.arriving = undefined
  return bytes
}

/** Waits for something while only pending commits have bytes that do not count. */
function whileSettled<T>({ put, commits }: Stream, work: Promise<T>): Promise<T> {
  const serve = (): void => put.flushes.serve()
  return put.flushes.during(work, () => commits.settled().then(serve, serve))
}

function freeWindow(upload: Destination, put: Put, start: number): Range | undefined {
  const { received } = upload.stored
  if (runEnd(received, start) > start) return undefined
  const nextReceived = received.find((range) => range.start > start)?.start ?? Number.POSITIVE_INFINITY
  const end = start + Math.max(WINDOW, upload.stored.stride(start))
  return { start, end: Math.min(end, endOf(upload, put), nextReceived) }
}

async function expectEnd({ reader }: Stream): Promise<undefined> {
  if ((await reader.take(1)) !== null) {
    throw new UploadError('too_large', 'The body continues beyond the end of the upload.')
  }
}
