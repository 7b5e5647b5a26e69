/** Web Locks exist only where the page came over TLS or from this machine; elsewhere tabs do not know of each other. */
const locks: LockManager | null = 'locks' in navigator ? navigator.locks : null

const lockName = (url: string): string => `landfall ${url}`

/** Tells other tabs, until this one is closed or reloaded, that the upload at `url` is in its hands. */
export function occupy(url: string): void {
  const untilClosed = new Promise<void>(() => undefined)
  void locks?.request(lockName(url), { ifAvailable: true }, () => untilClosed)
}

/** Resolves as soon as no other tab has the upload at `url` in its hands. */
export async function whenFree(url: string): Promise<void> {
  await locks?.request(lockName(url), () => undefined)
}
