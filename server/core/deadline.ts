import { UploadError } from './errors.ts'

/** How long a request waits for other requests, with its body unread, before it fails as `busy`. Milliseconds. */
export const MAX_WAIT = 50_000

/** How long the request with the last byte of a file waits for the verdict of a scan. Milliseconds. */
export const SCAN_WAIT = 3_000

/**
 * Waits for `work`, at most `ms` milliseconds.
 *
 * A timer that is cleared costs a microsecond. `AbortSignal.timeout` with `AbortSignal.any` costs fifty, and keeps its
 * memory until the time is over even if `work` is done at once.
 *
 * @param withdraw called with the error when the time is over: takes the work out of its queue. Without it, the work
 * continues unobserved.
 * @throws UploadError `busy` with `message`, and what `work` throws.
 */
export async function waitAtMost<T>(
  ms: number,
  work: Promise<T>,
  message: string,
  withdraw: (reason: UploadError) => void = () => undefined,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const reason = new UploadError('busy', message)
      withdraw(reason)
      reject(reason)
    }, ms)
  })
  try {
    return await Promise.race([work, expired])
  } finally {
    clearTimeout(timer)
  }
}
