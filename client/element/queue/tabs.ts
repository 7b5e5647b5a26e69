/** Web Locks exist only over TLS and on localhost; elsewhere, tabs ask each other over a channel. */
const locks = (): LockManager | null => navigator.locks ?? null

/** How long the other tabs have for an answer, in milliseconds. */
const ANSWER_WITHIN = 200

const lockName = (what: string): string => `landfall ${what}`

/** Whether an upload that another tab sends is known to be in use. */
export function knowsTabs(): boolean {
  return locks() !== null
}

/** Locks the upload at `url` against other tabs, until this one is closed or reloaded. */
export function lockUpload(url: string): void {
  const untilClosed = new Promise<void>(() => undefined)
  void locks()?.request(lockName(url), { ifAvailable: true }, () => untilClosed)
}

/** Resolves as soon as no other tab locks the upload at `url`. */
export async function whenUnlocked(url: string): Promise<void> {
  await locks()?.request(lockName(url), () => undefined)
}

/** Announces to other tabs that the rows of an element belong to it, until it leaves. */
export function holdRows(owner: string, left: AbortSignal): void {
  if (left.aborted) return
  const untilLeft = new Promise<void>((resolve) => left.addEventListener('abort', () => resolve()))
  void locks()?.request(lockName(owner), () => untilLeft)
  if (locks() !== null || !('BroadcastChannel' in globalThis)) return
  const channel = new BroadcastChannel('landfall')
  channel.onmessage = ({ data }) => data === `? ${owner}` && channel.postMessage(`! ${owner}`)
  left.addEventListener('abort', () => channel.close())
}

/**
 * Resolves when the element that owned rows has left, and its page is closed or reloaded. Without Web Locks, it
 * resolves with false at once if the owner is still there.
 */
export async function hasLeft(owner: string): Promise<boolean> {
  const known = locks()
  if (known !== null) return known.request(lockName(owner), () => true)
  if (!('BroadcastChannel' in globalThis)) return true
  const channel = new BroadcastChannel('landfall')
  const isThere = await new Promise<boolean>((resolve) => {
    channel.onmessage = ({ data }) => data === `! ${owner}` && resolve(true)
    channel.postMessage(`? ${owner}`)
    setTimeout(() => resolve(false), ANSWER_WITHIN)
  })
  channel.close()
  return !isThere
}
