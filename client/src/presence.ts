import { readiness } from './settings.ts'

/** How long one question may take, and how long it is until the next at first and at most. Milliseconds. */
const PATIENCE = 5_000
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 10_000

/** What a proxy answers, or the service itself, while it is away. */
const AWAY = new Set([502, 503, 504])

const listeners = new Set<() => void>()
let away = false
let waiting: Promise<boolean> | null = null

/** Whether the service was found to be away, and has not come back yet. */
export function isAway(): boolean {
  return away
}

/** Calls `listener` when the service was found to be away, and when it is back. */
export function onPresence(listener: () => void): void {
  listeners.add(listener)
}

/** Waits, however long it takes, until the service is there. All who call this share one question at a time. Returns whether it was away. */
export function servicePresent(): Promise<boolean> {
  waiting ??= wait().finally(() => {
    waiting = null
  })
  return waiting
}

async function wait(): Promise<boolean> {
  if (await answers()) return false
  tell(true)
  for (let longest = FIRST_PAUSE; ; longest = Math.min(longest * 2, LONGEST_PAUSE)) {
    // Pages that lost the service at the same moment do not all come back at the same moment.
    await pause(longest * (0.5 + Math.random() / 2))
    if (await answers()) break
  }
  tell(false)
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

/** Ends early when the browser has a network again, or somebody looks at the page. */
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

function tell(isNow: boolean): void {
  away = isNow
  for (const listener of listeners) listener()
}
