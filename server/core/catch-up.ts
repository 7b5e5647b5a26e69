import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import type { Source } from './source.ts'

/** How long an answer waits at most for bytes that have arrived, in milliseconds. */
const LONGEST_WAIT = 100
/** The longest pause between two looks at a stream, in milliseconds. */
const LONGEST_PAUSE = 8
/** More than the sockets of both sides hold, in bytes. A client that has sent so much meanwhile is alive. */
const MOST_IN_FLIGHT = 16 * 1024 * 1024

/** A running append as seen from outside. */
export interface RunningStream {
  readonly source: Source
  readonly isRunning: () => boolean
  /** The offset of its upload, in bytes. */
  readonly offset: () => number
}

/**
 * Waits until the bytes that have arrived for an append count. Its client may be gone without the server knowing yet: the end of a
 * connection is read behind its last bytes. An append that waits for its client is not waited for.
 */
export async function catchUp({ source, isRunning, offset }: RunningStream): Promise<void> {
  const start = offset()
  const deadline = performance.now() + LONGEST_WAIT
  for (let length = 0; isRunning(); length = Math.min(2 * length + 1, LONGEST_PAUSE)) {
    const waitingSince = source.waitingSince
    if (length > 0) await pause(length)
    // The first turn may have begun before the bytes arrived; the second one reads all that had.
    await turn()
    await turn()
    if (waitingSince !== undefined && source.waitingSince === waitingSince) return
    if (performance.now() > deadline || offset() - start > MOST_IN_FLIGHT) return
  }
}
