import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import type { Source } from './source.ts'

/** How often to look at an append whose client may be alive, once a millisecond. On a busy host, more time passes between looks. */
const MOST_LOOKS = 200
/** The same for an append whose bytes have all arrived: then only the disk keeps it. */
const MOST_LOOKS_WHEN_ENDED = 8_000
/** More than the sockets of both sides hold, in bytes. A client that has sent so much meanwhile is alive. */
const MOST_IN_FLIGHT = 48 * 1024 * 1024

/** After how many milliseconds without a byte nothing more is on its way: bytes that the OS is handing over arrive sooner. */
const QUIET = 3

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
  const start = offset()
  for (let looks = 0; isRunning(); looks++) {
    const { waitingSince } = source
    if (looks > 0) await pause(1)
    // The first turn may have begun before the bytes arrived; the second one reads all that had.
    await turn()
    await turn()
    if (waitingSince !== undefined && source.waitingSince === waitingSince && isQuiet(waitingSince)) return
    if (looks >= (source.ended ? MOST_LOOKS_WHEN_ENDED : MOST_LOOKS)) return
    if (offset() - start > MOST_IN_FLIGHT) return
  }
}

function isQuiet(waitingSince: number): boolean {
  return performance.now() - waitingSince >= QUIET
}
