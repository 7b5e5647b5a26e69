import type { Uploads } from '../core/uploads.ts'
import type { KeptEvents } from '../kept-events.ts'
import type { Settings } from '../settings.ts'
import type { AdminIndex } from './admin-index.ts'
import type { Stats } from './contract.ts'
import type { LiveUploads } from './live-uploads.ts'
import type { RequestHistory } from './request-history.ts'

/** Where the statistics come from. */
export interface StatSources {
  readonly settings: Pick<Settings, 'STORE' | 'WEBHOOK_URLS' | 'ADMIN_NODES'>
  readonly node: string
  readonly version: string
  readonly uploads: Uploads
  readonly index: AdminIndex
  readonly live: LiveUploads
  readonly history: RequestHistory
  readonly events: KeptEvents
  readonly ready: () => boolean
  /** The rejected files that are kept; `null` for a bucket. */
  readonly quarantine: () => Promise<Stats['quarantine']>
}

const NONE = { count: 0, bytes: 0 }

const NO_UPLOADS: Stats['uploads'] = {
  receiving: NONE,
  sealed: NONE,
  finishing: NONE,
  scanning: NONE,
  finished: NONE,
  failed: NONE,
  rejected: NONE,
}

/** How the service is. @throws UploadError `storage_error`; S3Error. */
export async function statsOf(sources: StatSources): Promise<Stats> {
  const { settings, node, version, uploads, index, live, history, events, ready, quarantine } = sources
  const [amounts, space, letters] = await Promise.all([index.amounts(), uploads.catalog.space(), events.deadLetters()])
  const byState = amounts ?? NO_UPLOADS
  const all = Object.values(byState)
  const { isComplete, indexed, builtAt } = index.status
  const { user, system } = process.cpuUsage()
  const uptime = process.uptime()
  return {
    node,
    nodes: [...settings.ADMIN_NODES],
    version,
    nodeVersion: process.version,
    startedAt: new Date(Date.now() - uptime * 1000).toISOString(),
    uptime,
    isReady: ready(),
    store: settings.STORE,
    uploads: byState,
    total: {
      count: all.reduce((sum, { count }) => sum + count, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    index: { isComplete, indexed, builtAt: builtAt?.toISOString() ?? null },
    disk: Number.isFinite(space.bytes) ? { free: space.freeBytes, size: space.bytes } : null,
    quarantine: await quarantine(),
    rates: { received: live.rate, ...history.rates },
    activeUploads: live.active,
    errors: [...history.errors],
    webhooks: { endpoints: settings.WEBHOOK_URLS.length, deadLetters: letters.length },
    process: { rss: process.memoryUsage.rss(), cpu: (user + system) / 1_000_000 },
  }
}
