/**
 * Runs `work` for at most `ms` milliseconds.
 *
 * @param signal ends it earlier.
 * @throws Error with `message` when the time is over, the reason of `signal`, and what `work` throws.
 */
export async function within<T>(
  ms: number,
  message: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const abort = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  const timer = setTimeout(() => controller.abort(new Error(message)), ms)
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
