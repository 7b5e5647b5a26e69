import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import type { Source } from './source.ts'

/** How long to wait for an append whose client may be alive, in milliseconds. */
const LONGEST_WAIT = 250
/** How long to wait for an append whose bytes have all arrived, in milliseconds: then only the disk keeps it. */
const LONGEST_WAIT_FOR_DISK = 10_000
/** More than the sockets of both sides hold, in bytes. A client that has sent so much meanwhile is alive. */
const MOST_IN_FLIGHT = 48 * 1024 * 1024

/** A running append as seen from outside. */
export interface RunningAppend {
  readonly source: Source
  readonly isRunning: () => boolean
  /** The offset of its upload, in bytes. */
  readonly offset: () => number
}

/**
 * Waits until the bytes that have arrived for an append count. Its client may be gone without the server knowing yet: the end of a
 * connection is read behind its last bytes. An append that waits for its client is not waited for.
 */
export async function catchUp({ source, isRunning, offset }: RunningAppend): Promise<void> {
  const begun = performance.now()
  const start = offset()
  for (let first = true; isRunning(); first = false) {
    const { waitingSince } = source
    if (!first) await pause(1)
    // The first turn may have begun before the bytes arrived; the second one reads all that had.
    await turn()
    await turn()
    if (waitingSince !== undefined && source.waitingSince === waitingSince) return
    const waited = performance.now() - begun
    if (source.ended) {
      if (waited > LONGEST_WAIT_FOR_DISK) return
    } else if (waited > LONGEST_WAIT || offset() - start > MOST_IN_FLIGHT) return
  }
}
