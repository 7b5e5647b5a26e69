import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Authenticator } from '../auth/authenticator.ts'
import { cautiousTime } from '../core/cautious-time.ts'
import type { Events } from '../core/events.ts'
import type { Uploads } from '../core/uploads.ts'
import { Layout } from '../disk/layout.ts'
import { rejectedFiles } from '../disk/quarantine.ts'
import type { RequestFeed } from '../http/request-feed.ts'
import { eventsInBucket, eventsOnDisk, type KeptEvents } from '../kept-events.ts'
import type { Keys } from '../keys.ts'
import type { Settings } from '../settings.ts'
import { shownSettings } from '../shown-settings.ts'
import { versionOf } from '../version.ts'
import { endpointName } from '../webhooks/endpoint.ts'
import { AdminAccess } from './access.ts'
import { AdminIndex } from './admin-index.ts'
import type { AdminRoutes } from './api.ts'
import { adminApi } from './api.ts'
import type { NoteAdminAct } from './audit.ts'
import type { Stats } from './contract.ts'
import { detailsOf } from './details.ts'
import { EventStreams } from './event-streams.ts'
import { LiveUploads } from './live-uploads.ts'
import { openapiOf } from './openapi.ts'
import { describing, operationsOf } from './operations.ts'
import { RequestHistory } from './request-history.ts'
import { statsOf } from './stats.ts'
import { lineOf } from './upload-facts.ts'

/** How long the size of the quarantine stays known, in milliseconds: each look reads its directory. */
const QUARANTINE_KNOWN = 10_000

/** What administrators see and steer. */
export interface Administered {
  readonly log: Logger
  readonly uploads: Uploads
  readonly events: Events
  readonly feed: RequestFeed
  readonly keys: Pick<Keys, 'token'>
  readonly authenticator: Authenticator
  /** Whether the application decides about files. */
  readonly decides: boolean
  /** Whether the service accepts new work. */
  readonly ready: () => boolean
  /** Receives the acts of administrators. */
  readonly note: NoteAdminAct
}

/** The admin API of a service. */
export interface AdminApi {
  readonly routes: AdminRoutes
  /** Ends the streams of events, and the index. */
  close(): Promise<void>
}

/** Opens the API, and begins to build the index of uploads. */
export async function openAdminApi(settings: Settings, administered: Administered): Promise<AdminApi> {
  const { log, uploads, events, feed, keys, authenticator, ready } = administered
  const { version } = versionOf()
  const expiresAfter = settings.EXPIRES_AFTER * 1000
  const { kept, close: closeKept } = await openKeptEvents(settings)
  const history = new RequestHistory(feed)
  const quarantine = quarantineOf(settings)
  const stats = (): Promise<Stats> =>
    statsOf({
      settings,
      node: settings.NODE_NAME || hostname(),
      version,
      uploads,
      index,
      live,
      history,
      events: kept,
      ready,
      quarantine,
    })
  const streams = new EventStreams(stats)
  const index = new AdminIndex(uploads, events, log, ({ type, at, row }) => {
    if (type === 'finished') live.finished(row.id, row.received)
    if (!streams.isOpen) return
    const upload = lineOf(row, expiresAfter)
    streams.publish({ type, at: at.toISOString(), upload, rate: live.rateOf(row.id) })
  })
  const live = new LiveUploads(uploads, (id) => index.note(id))
  const origins = new Map(settings.WEBHOOK_URLS.map((url) => [endpointName(url), url.origin]))
  const hasScanner = [settings.SCAN_CMD, settings.SCAN_URL, settings.SCAN_CLAMD].some((one) => one !== undefined)
  const sources = { live, history, events: kept, expiresAfter, hasScanner, hasDecision: administered.decides }
  const operations = operationsOf({
    uploads,
    index,
    streams,
    events: kept,
    stats,
    detailsOf: (facts) => detailsOf(facts, sources),
    shownSettings: () => ({ settings: [...shownSettings(settings)] }),
    tokenKey: settings.AUTH === 'jwt' ? keys.token : undefined,
    expiresAfter,
    now: cautiousTime(),
    originOf: (endpoint) => origins.get(endpoint) ?? null,
  })
  const all = [...operations, describing(() => document)]
  const document = openapiOf(all, version)
  const claimsOf = authenticator.claims?.bind(authenticator)
  const access = new AdminAccess({ token: settings.ADMIN_TOKEN, claim: settings.ADMIN_CLAIM, claimsOf })
  return {
    routes: adminApi(all, access, administered.note),
    close: async () => {
      streams.close()
      live.close()
      history.close()
      await index.close()
      closeKept()
    },
  }
}

async function openKeptEvents(settings: Settings): Promise<{ readonly kept: KeptEvents; close(): void }> {
  if (settings.STORE === 'disk') return { kept: eventsOnDisk(new Layout(settings.DATA_DIR)), close: () => undefined }
  const { s3Environment } = await import('../open-s3-store.ts')
  const bucket = s3Environment(settings)
  return { kept: await eventsInBucket(bucket), close: () => bucket.port.close() }
}

/** @returns `null` where rejected files are in a bucket. */
function quarantineOf({ STORE, DATA_DIR }: Settings): () => Promise<Stats['quarantine']> {
  let known: Stats['quarantine'] = null
  let lookedAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (STORE === 's3' || performance.now() - lookedAt < QUARANTINE_KNOWN) return known
    lookedAt = performance.now()
    known = await rejectedFiles(new Layout(DATA_DIR))
    return known
  }
}
