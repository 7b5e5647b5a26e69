import { jest } from '@jest/globals'

/** Everything but the date. */
const REAL = [
  ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate'] as const),
  ...(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
]

/**
 * Sets the clock of this process, and of services in it, ahead until `jest.useRealTimers()`.
 *
 * @param by milliseconds.
 */
export function useClockAhead(by: number): void {
  jest.useFakeTimers({ now: Date.now() + by, doNotFake: REAL })
}

/** Runs `work` while the clock is ahead. @param by milliseconds. */
export async function withClockAhead<T>(by: number, work: () => Promise<T>): Promise<T> {
  useClockAhead(by)
  try {
    return await work()
  } finally {
    jest.useRealTimers()
  }
}
