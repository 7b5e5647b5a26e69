import { setTimeout as pause } from 'node:timers/promises'

/**
 * Does work that keeps the process from everything else. When it takes too long, the time limit of the test has passed by the time
 * that this returns, and the test fails by it.
 */
export async function atOnce<T>(work: () => T): Promise<T> {
  const result = work()
  await pause(1)
  return result
}
