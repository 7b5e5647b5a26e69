import { setTimeout as pause } from 'node:timers/promises'

/**
 * Runs synchronous work. If it blocks the process for too long, the time limit of the test fails it.
 */
export async function atOnce<T>(work: () => T): Promise<T> {
  const result = work()
  await pause(1)
  return result
}
