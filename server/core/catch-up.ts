import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import type { BodyProgress, Source } from './source.ts'

/** Interval between two samples of an append, in milliseconds. On a busy host, it takes longer. */
const SAMPLE_INTERVAL = 2
/** After this many samples, a client whose bytes still arrive, no faster than they are read, is alive. */
const SAMPLES_WHILE_SLOW = 6
/** After this many samples, a client that sends faster than the server reads may be alive. */
const MAX_SAMPLES = 40
/** After this many samples of an append whose body has ended, the disk takes too long. */
const MAX_SAMPLES_WHEN_ENDED = 4_000
/** If fewer bytes than this are read between two samples, the socket is empty. */
const LEFTOVER = 512 * 1024
/** More bytes than the socket buffers of both sides hold. A client that sends this much meanwhile is alive. */
const MAX_IN_FLIGHT = 48 * 1024 * 1024

/**
 * Waits until the bytes that have arrived for a running append count. Its client may be gone without the server knowing
 * yet: the end of a connection is read only after its last bytes. It does not wait for bytes that arrive later.
 */
export async function catchUp(source: Source, isRunning: () => boolean): Promise<void> {
  await polled()
  const first = source.progress?.()
  if (first === undefined || isIdle(source, first)) return
  let target = Number.POSITIVE_INFINITY
  for (let samples = 1, before: BodyProgress = first; isRunning(); samples++) {
    await pause(SAMPLE_INTERVAL)
    await polled()
    const after = source.progress?.() ?? before
    if (isDrained(before, after, samples)) target = Math.min(target, after.arrived)
    if (after.done >= target && !after.ended) return
    if (samples >= (after.ended ? MAX_SAMPLES_WHEN_ENDED : MAX_SAMPLES)) return
    if (after.arrived - first.arrived > MAX_IN_FLIGHT) return
    before = after
  }
}

/** Resolves when every readable socket has been polled: the first turn may have begun before the bytes arrived. */
async function polled(): Promise<void> {
  await turn()
  await turn()
}

/** Whether the append has been waiting for its client. */
function isIdle({ waitingSince }: Source, { arrived, done, ended }: BodyProgress): boolean {
  return !ended && done === arrived && waitingSince !== undefined && performance.now() - waitingSince > SAMPLE_INTERVAL
}

/** Whether all bytes that had arrived at the first sample have been read. */
function isDrained(before: BodyProgress, after: BodyProgress, samples: number): boolean {
  const read = after.arrived - before.arrived
  if (before.paused || after.paused) return false
  return read === 0 || (read < LEFTOVER && samples >= SAMPLES_WHILE_SLOW)
}
