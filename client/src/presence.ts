import { readiness } from './settings.ts'

/** Timeout of a probe, and the first and the longest pause between two. Milliseconds. */
const PATIENCE = 5_000
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 10_000

/** Statuses of a proxy without the service, and of a service that is stopping. */
const AWAY = new Set([502, 503, 504])

const listeners = new Set<() => void>()
let away = false
let waiting: Promise<boolean> | null = null

/** Whether the last probe found the service unavailable. */
export function isAway(): boolean {
  return away
}

/** Calls `listener` when the service becomes unavailable, and when it is back. */
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
  if (await answers()) return false
  announce(true)
  for (let longest = FIRST_PAUSE; ; longest = Math.min(longest * 2, LONGEST_PAUSE)) {
    // The jitter keeps pages that lost the service together from returning together.
    await pause(longest * (0.5 + Math.random() / 2))
    if (await answers()) break
  }
  announce(false)
  return true
}

async function answers(): Promise<boolean> {
  try {
    const { status } = await fetch(readiness, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) })
    return !AWAY.has(status)
  } catch {
    return false
  }
}

/** Ends early when the browser goes online or the page becomes visible. */
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

function announce(isNow: boolean): void {
  away = isNow
  for (const listener of listeners) listener()
}
