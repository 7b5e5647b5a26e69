import { jest } from '@jest/globals'

/** Everything but the date. */
const REAL = [
  ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate'] as const),
  ...(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
]

/** Runs `work` while the clock of this process, and of services in it, is ahead. @param by milliseconds. */
export async function withClockAhead<T>(by: number, work: () => Promise<T>): Promise<T> {
  jest.useFakeTimers({ now: Date.now() + by, doNotFake: REAL })
  try {
    return await work()
  } finally {
    jest.useRealTimers()
  }
}
