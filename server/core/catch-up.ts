import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import type { Look, Source } from './source.ts'

/** How long to wait between two looks at an append, in milliseconds. On a busy host, it takes longer. */
const BETWEEN = 2
/** After how many looks bytes that still arrive, but not faster than they are read, are those of a client that is alive. */
const LOOKS_WHILE_SLOW = 6
/** After how many looks a client may be alive that sends faster than the server reads. */
const MOST_LOOKS = 40
/** After how many looks at an append whose body has ended the disk takes too long. */
const MOST_LOOKS_WHEN_ENDED = 4_000
/** A socket from which less is read between two looks is empty, in bytes. */
const LEFTOVER = 512 * 1024
/** More than the sockets of both sides hold, in bytes. A client that has sent so much meanwhile is alive. */
const MOST_IN_FLIGHT = 48 * 1024 * 1024

/**
 * Waits until the bytes that have arrived for a running append count. Its client may be gone without the server knowing yet: the end
 * of a connection is read behind its last bytes. Bytes that arrive later are not waited for.
 */
export async function catchUp(source: Source, isRunning: () => boolean): Promise<void> {
  await polled()
  const first = source.look?.()
  if (first === undefined || isIdle(source, first)) return
  let target = Number.POSITIVE_INFINITY
  for (let looks = 1, before: Look = first; isRunning(); looks++) {
    await pause(BETWEEN)
    await polled()
    const after = source.look?.() ?? before
    if (isDrained(before, after, looks)) target = Math.min(target, after.arrived)
    if (after.done >= target && !after.ended) return
    if (looks >= (after.ended ? MOST_LOOKS_WHEN_ENDED : MOST_LOOKS)) return
    if (after.arrived - first.arrived > MOST_IN_FLIGHT) return
    before = after
  }
}

/** Resolves when every socket that is read has been asked for bytes: the first turn may have begun before they arrived. */
async function polled(): Promise<void> {
  await turn()
  await turn()
}

/** Whether the append has been waiting for its client. */
function isIdle({ waitingSince }: Source, { arrived, done, ended }: Look): boolean {
  return !ended && done === arrived && waitingSince !== undefined && performance.now() - waitingSince > BETWEEN
}

/** Whether all that had arrived at the first look has been read. */
function isDrained(before: Look, after: Look, looks: number): boolean {
  const read = after.arrived - before.arrived
  if (before.paused || after.paused) return false
  return read === 0 || (read < LEFTOVER && looks >= LOOKS_WHILE_SLOW)
}
