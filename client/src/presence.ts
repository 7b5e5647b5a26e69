import { readiness } from './settings.ts'

/** Timeout of a probe, and the minimum and maximum delay between two, in milliseconds. */
const PROBE_TIMEOUT = 5_000
const MIN_DELAY = 500
const MAX_DELAY = 10_000

/** Statuses of a proxy that cannot reach the service, and of a service that is stopping. */
const AWAY = new Set([502, 503, 504])

const listeners = new Set<() => void>()
let away = false
let waiting: Promise<boolean> | null = null

/** Whether the last probe found the service unavailable. */
export function isAway(): boolean {
  return away
}

/** Calls `listener` when the service becomes unavailable, and when it is available again. */
export function onPresence(listener: () => void): void {
  listeners.add(listener)
}

/** Waits until the service is available. All callers share one probe. Returns whether it was unavailable. */
export function servicePresent(): Promise<boolean> {
  waiting ??= wait().finally(() => {
    waiting = null
  })
  return waiting
}

async function wait(): Promise<boolean> {
  if (await responds()) return false
  setAway(true)
  for (let delay = MIN_DELAY; ; delay = Math.min(delay * 2, MAX_DELAY)) {
    // The jitter keeps all pages from returning at the same time.
    await pause(delay * (0.5 + Math.random() / 2))
    if (await responds()) break
  }
  setAway(false)
  return true
}

async function responds(): Promise<boolean> {
  try {
    const { status } = await fetch(readiness, { cache: 'no-store', signal: AbortSignal.timeout(PROBE_TIMEOUT) })
    return !AWAY.has(status)
  } catch {
    return false
  }
}

/** Waits for `ms` milliseconds, or until the browser is online again or the page becomes visible. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      window.removeEventListener('online', end)
      document.removeEventListener('visibilitychange', seen)
      resolve()
    }
    const seen = (): void => {
      if (document.visibilityState === 'visible') end()
    }
    const timer = setTimeout(end, ms)
    window.addEventListener('online', end)
    document.addEventListener('visibilitychange', seen)
  })
}

function setAway(isNow: boolean): void {
  away = isNow
  for (const listener of listeners) listener()
}
