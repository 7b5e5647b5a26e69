import { setTimeout as wait } from 'node:timers/promises'

/** How long background work runs before it pauses for as long. Milliseconds. */
const SLICE = 10

/** Returns a function for background work to call after each step: at least half of the time remains for requests. */
export function pacer(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    const worked = performance.now() - since
    if (worked < SLICE) return
    await wait(Math.min(worked, 2 * SLICE))
    since = performance.now()
  }
}
