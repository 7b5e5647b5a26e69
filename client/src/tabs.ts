/** Web Locks exist only over TLS and on localhost; elsewhere, tabs do not know of each other. */
const locks: LockManager | null = 'locks' in navigator ? navigator.locks : null

const lockName = (url: string): string => `landfall ${url}`

/** Locks the upload at `url` against other tabs, until this one is closed or reloaded. */
export function lockUpload(url: string): void {
  const untilClosed = new Promise<void>(() => undefined)
  void locks?.request(lockName(url), { ifAvailable: true }, () => untilClosed)
}

/** Resolves as soon as no other tab locks the upload at `url`. */
export async function whenUnlocked(url: string): Promise<void> {
  await locks?.request(lockName(url), () => undefined)
}
