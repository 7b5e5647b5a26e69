import { setTimeout as wait } from 'node:timers/promises'

/** For how long background work may go on before it rests for as long. Milliseconds. */
const SLICE = 10

/** Makes a function that background work calls after each step: it leaves at least half of the time to requests. */
export function pacer(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    const worked = performance.now() - since
    if (worked < SLICE) return
    await wait(Math.min(worked, 2 * SLICE))
    since = performance.now()
  }
}
