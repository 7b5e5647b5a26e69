import { readdir } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { wireProtocolOf } from './app.ts'
import { startBackgroundWork } from './background-work.ts'
import { Bookkeeping, ledgerOf } from './bookkeeping.ts'
import { type Connections, connections } from './connections/connections.ts'
import { refusals } from './connections/refusal.ts'
import { Callers } from './core/callers.ts'
import { Concatenation } from './core/concatenation.ts'
import { Events } from './core/events.ts'
import type { Ledger } from './core/ledger.ts'
import type { Store } from './core/store.ts'
import type { Uploads } from './core/uploads.ts'
import { dialectOf } from './dialect.ts'
import { Layout } from './disk/layout.ts'
import { readUsage } from './disk/usage-file.ts'
import { downloadHost } from './download/download-host.ts'
import type { Embedding } from './embedding.ts'
import { exposure } from './exposure.ts'
import { namesOf } from './http/allowed-hosts.ts'
import { serveBelow } from './http/base-path.ts'
import { loadPages, type Pages } from './http/pages.ts'
import { RequestFeed } from './http/request-feed.ts'
import type { Trace } from './http/trace.ts'
import { listen, listenOnSocket, urlOfServer } from './listening.ts'
import { observe } from './observe.ts'
import { openApp } from './open-app.ts'
import { type Application, openApplication } from './open-application.ts'
import { openAuth, openAuthorization } from './open-auth.ts'
import { openChecks } from './open-checks.ts'
import { openStore } from './open-store.ts'
import { Readiness } from './readiness.ts'
import type { Environment } from './s3/environment.ts'
import { secretsOf } from './secrets.ts'
import type { Settings } from './settings.ts'

/** An open service: it has its data directory, and answers requests. */
export interface Service {
  readonly uploads: Uploads
  readonly events: Events
  /** Answers requests of any HTTP server. */
  readonly handler: RequestListener
  /** Whether a path, without the query, is one of the service's. */
  readonly owns: (path: string) => boolean
  /**
   * Opens the port or the Unix socket of the settings. Called at most once.
   *
   * @returns `http://host:port`, or `unix:path`.
   * @throws Error with a sentence for the operator when it is not available.
   */
  listen(): Promise<string>
  /** Makes `/readyz` report 503; requests are still accepted. */
  leave(): void
  /**
   * Refuses new work, waits for running requests, ends them, and closes the data directory.
   *
   * @param drain waits for the requests of other servers, for some milliseconds at most.
   */
  close(drain?: (timeout: number) => Promise<void>): Promise<void>
}

/**
 * Wires the implementations together.
 *
 * @throws Error with a sentence for the operator when the data directory is not available.
 */
export async function openService(settings: Settings, embedding: Embedding): Promise<Service> {
  const { log, onStep = () => undefined } = embedding
  const downloadsFrom = downloadHost(settings.DOWNLOAD_URL, settings.PUBLIC_URL, settings.TRUST_PROXY)
  const pages = embedding.pagesFolder === undefined ? undefined : await loadPages(embedding.pagesFolder)
  const events = new Events((error) => log.error({ err: error }, 'An event listener failed.'))
  const bucket = settings.STORE === 's3' ? (await import('./open-s3-store.ts')).s3Environment(settings) : undefined
  const application = await openApplication(settings, events, embedding.decisions, log, { bucket, onStep })
  const { decisions, reports } = application
  const ledger = ledgerOf(settings)
  const uploads = await openStore({
    directory: settings.DATA_DIR,
    sync: settings.SYNC,
    maxSize: settings.MAX_SIZE,
    fileMode: settings.FILE_MODE,
    folderMode: settings.DIR_MODE,
    folder: settings.FOLDER,
    maxRejected: settings.QUARANTINE_SIZE,
    checks: openChecks(settings, log),
    decisions,
    reports,
    ledger,
    minFree: settings.MIN_FREE,
    minFreeInodes: settings.MIN_FREE_INODES,
    onNotice: (sentence) => log.warn(sentence),
    onStep,
    open: bucket && (() => storeIn(bucket, settings, (sentence) => log.warn(sentence))),
  }).catch(async (error: unknown) => {
    await application.close()
    bucket?.port.close()
    throw error
  })
  try {
    // The object need not exist. The port repeats a call that fails for 20 s.
    const checkStore = bucket && (() => bucket.port.head(`${bucket.prefix}ready`))
    return await serviceFor(settings, embedding, {
      application,
      bucket,
      events,
      ledger,
      uploads,
      downloadsFrom,
      pages,
      checkStore,
    })
  } catch (error) {
    // An application may go on, and open the directory again.
    await application.close()
    await uploads.close()
    throw error
  }
}

/** What a service is made of. */
interface Parts {
  readonly application: Application
  readonly bucket: Environment | undefined
  readonly events: Events
  readonly ledger: Ledger
  readonly uploads: Uploads
  readonly downloadsFrom: ReturnType<typeof downloadHost>
  readonly pages: Pages | undefined
  /** Rejects if the store cannot be reached; without it, it always can. */
  readonly checkStore: (() => Promise<unknown>) | undefined
}

/** The service over open uploads. @throws Error with a sentence for the operator. */
async function serviceFor(settings: Settings, embedding: Embedding, parts: Parts): Promise<Service> {
  const { application, bucket, events, ledger, uploads } = parts
  const { log, authorize } = embedding
  const layout = new Layout(settings.DATA_DIR)
  application.connect(uploads)
  const usage = await readUsage(layout)
  if (usage !== undefined) ledger.restore(usage)
  const { ids: secret, keys } = await secretsOf(settings, (sentence) => log.warn(sentence))
  const concatenation = new Concatenation(uploads, secret, settings.NODE)
  const hostNames = namesOf(settings.ALLOWED_HOSTS, settings.HOST, [settings.PUBLIC_URL, settings.DOWNLOAD_URL])
  const reach = { publicUrl: settings.PUBLIC_URL, trustProxy: settings.TRUST_PROXY }
  const authenticator =
    authorize === undefined
      ? await openAuth(settings, keys, reach, (sentence) => log.warn(sentence))
      : await openAuthorization(authorize, settings, keys)
  const auth = authorize === undefined ? settings.AUTH : 'application'
  const readiness = new Readiness(parts.checkStore)
  const feed = new RequestFeed()
  const callers = new Callers<Trace>()
  let listening: Connections | undefined
  const { audit, metrics } = await observe(settings, embedding, {
    settings,
    events,
    feed,
    callers,
    ledger,
    space: () => uploads.space(),
    quarantined: bucket === undefined ? async () => (await readdir(layout.quarantine)).length : undefined,
    memory: bucket && (() => bucket.budget.used),
    connections: () => listening?.open,
    webhooks: application.webhooks,
  })
  const { app, dialects } = await openApp(settings, embedding, {
    ...parts,
    concatenation,
    layout,
    secret,
    keys,
    hostNames,
    reach,
    authenticator,
    auth,
    readiness,
    feed,
    callers,
  })
  const refuse = refusals({
    log,
    allowedOrigins: settings.ALLOWED_ORIGINS,
    dialectOf,
    protocolOf: (request) => wireProtocolOf(request, dialects),
    basePath: settings.BASE_PATH,
    feed,
  })
  const bookkeeping = new Bookkeeping(ledger, uploads, layout, log)
  const background = startBackgroundWork(uploads, concatenation, settings.EXPIRES_AFTER, log)
  const admin =
    settings.ADMIN_PORT === undefined
      ? undefined
      : await (await import('./open-admin.ts')).openAdmin(settings, {
          log,
          uploads,
          events,
          feed,
          keys,
          authenticator,
          decides: application.decisions.beforeFinish !== undefined,
          ready: () => readiness.obstacle === undefined,
          hostNames,
          metrics,
          audit,
          pagesFolder: embedding.pagesFolder,
        })
  return {
    uploads,
    events,
    handler: app.handler,
    owns: app.owns,
    listen: async () => {
      const limits = {
        idleTimeout: settings.IDLE_TIMEOUT,
        keepAlive: settings.KEEP_ALIVE * 1000,
        most: settings.MAX_CONNECTIONS,
      }
      const own = connections(serveBelow(settings.BASE_PATH, app.handler), limits, refuse)
      await (settings.UNIX_SOCKET === ''
        ? listen(own.server, settings)
        : listenOnSocket(own.server, settings.UNIX_SOCKET))
      listening = own
      const warning = exposure(own.server.address(), auth, process.env['container'])
      if (warning !== undefined) log.warn(warning)
      await admin?.listen()
      return urlOfServer(own.server, settings.HOST)
    },
    leave: () => readiness.leave(),
    close: async (drain = () => Promise.resolve()) => {
      readiness.stop()
      metrics?.close()
      background.stop()
      await Promise.all([listening?.drain(settings.DRAIN * 1000), drain(settings.DRAIN * 1000)])
      await concatenation.close()
      // Requests beyond DRAIN change what uploads cost until they have ended.
      await uploads.end()
      await application.close()
      await bookkeeping.close()
      await admin?.close()
      await uploads.close()
      listening?.server.closeAllConnections()
    },
  }
}

/** Loaded only where uploads are in a bucket. */
async function storeIn(bucket: Environment, settings: Settings, onNotice: (sentence: string) => void): Promise<Store> {
  const { openS3Store } = await import('./open-s3-store.ts')
  return openS3Store(settings, bucket, onNotice)
}
