import { readdir } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { createLegacyAdapter, type LegacyAdapter } from '../legacy-adapter/adapter.ts'
import { Visitors } from '../legacy-adapter/visitor.ts'
import { Admission } from './admission.ts'
import { createApp, wireProtocolOf } from './app.ts'
import type { Authenticator } from './auth/authenticator.ts'
import { Links, withLinks } from './auth/links.ts'
import { Owners } from './auth/owners.ts'
import { session } from './auth/session.ts'
import { startBackgroundWork } from './background-work.ts'
import { Bookkeeping, ledgerOf } from './bookkeeping.ts'
import { type Connections, connections } from './connections/connections.ts'
import { refusals } from './connections/refusal.ts'
import { Callers } from './core/callers.ts'
import { Concatenation } from './core/concatenation.ts'
import type { Decisions } from './core/decisions.ts'
import { Events } from './core/events.ts'
import type { Ledger } from './core/ledger.ts'
import { RateLimit } from './core/rate-limit.ts'
import type { Store } from './core/store.ts'
import type { Uploads } from './core/uploads.ts'
import { dialectOf } from './dialect.ts'
import type { Dialects } from './dialects.ts'
import type { OutboxStep, Step } from './disk/environment.ts'
import { Layout } from './disk/layout.ts'
import { Notes } from './disk/notes.ts'
import { readUsage } from './disk/usage-file.ts'
import { downloadHost } from './download/download-host.ts'
import type { SignUrl } from './download/redirect.ts'
import { Draft } from './draft/draft.ts'
import { exposure } from './exposure.ts'
import { namesOf } from './http/allowed-hosts.ts'
import { serveBelow } from './http/base-path.ts'
import { loadPages, type Pages } from './http/pages.ts'
import { RequestFeed } from './http/request-feed.ts'
import type { Trace } from './http/trace.ts'
import type { Keys } from './keys.ts'
import type { Authorize } from './library/authorize.ts'
import { listen, listenOnSocket, urlOfServer } from './listening.ts'
import type { Audit, Audited } from './logs/audit.ts'
import { logLifecycle } from './logs/lifecycle.ts'
import type { Measured, Metrics } from './metrics/open-metrics.ts'
import { type Application, openApplication } from './open-application.ts'
import { openAuth, openTokens } from './open-auth.ts'
import { openChecks } from './open-checks.ts'
import { openStore } from './open-store.ts'
import { Intake } from './protocol/intake.ts'
import { uploadUrls } from './protocol/upload-urls.ts'
import { Readiness } from './readiness.ts'
import type { Environment } from './s3/environment.ts'
import { secretsOf } from './secrets.ts'
import type { Settings } from './settings.ts'
import { Tus } from './tus/tus.ts'

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

/** What the settings cannot say. */
export interface Embedding {
  readonly log: Logger
  /** Whether WebUploader pages can upload. */
  readonly webUploader: boolean
  /** The directory of the built pages; without it, there are no pages and no health checks. */
  readonly pagesFolder?: string | undefined
  /** The decisions of an application in this process. */
  readonly decisions?: Decisions | undefined
  /** Authorizes requests, instead of AUTH. */
  readonly authorize?: Authorize | undefined
  /** Receives the metrics. Without it, they are served at ADMIN_PORT, if that is set. */
  readonly metrics?: Registry | undefined
  /** Called after each step of the disk store and the outbox; tests stop the program there. */
  readonly onStep?: ((step: Step | OutboxStep) => void) | undefined
}

/** Maximum WebUploader visitors whose listed chunks are kept, up to 16 KiB each. */
const MAX_VISITORS = 20_000

/** Maximum WebUploader senders whose current upload is kept. */
const MAX_SENDERS = 50_000

/** Maximum WebUploader tasks whose adopted uploads are kept. */
const MAX_ADOPTIONS = 20_000

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
async function serviceFor(
  settings: Settings,
  embedding: Embedding,
  { application, bucket, events, ledger, uploads, downloadsFrom, pages, checkStore }: Parts,
): Promise<Service> {
  const { log } = embedding
  const layout = new Layout(settings.DATA_DIR)
  application.connect(uploads)
  const usage = await readUsage(layout)
  if (usage !== undefined) ledger.restore(usage)
  const { ids: secret, keys } = await secretsOf(settings, (sentence) => log.warn(sentence))
  const { NODE: node } = settings
  const concatenation = new Concatenation(uploads, secret, node)
  const trustProxy = settings.TRUST_PROXY
  const hostNames = namesOf(settings.ALLOWED_HOSTS, settings.HOST, [settings.PUBLIC_URL, settings.DOWNLOAD_URL])
  const urls = uploadUrls(settings.PUBLIC_URL, settings.DOWNLOAD_URL, trustProxy, hostNames)
  const intake = new Intake(concatenation, settings.MAX_SIZE, settings.IDLE_TIMEOUT)
  const limits = { node, maxSize: settings.MAX_SIZE, expiresAfter: settings.EXPIRES_AFTER * 1000, urlOf: urls.location }
  const reach = { publicUrl: settings.PUBLIC_URL, trustProxy }
  const links = new Links(keys.link)
  const { authorize } = embedding
  const authenticator =
    authorize === undefined
      ? await openAuth(settings, keys, reach, (sentence) => log.warn(sentence))
      : await openAuthorization(authorize, settings, keys)
  const auth = authorize === undefined ? settings.AUTH : 'application'
  const { DOWNLOADS: downloads, TERMINATION: termination } = settings
  const readiness = new Readiness(checkStore)
  const feed = new RequestFeed()
  const callers = new Callers<Trace>()
  logLifecycle(events, log, callers)
  if (settings.ACCESS_LOG === 'on') (await import('./logs/access-log.ts')).logAccess(feed, log)
  const audit = settings.AUDIT_LOG === '' ? undefined : await openAudit(settings, { events, feed, callers, log })
  const legacy = embedding.webUploader
    ? createLegacyAdapter(uploads, {
        rules: { secret, node, names: settings.LEGACY_IDENTITY },
        visitors: new Visitors(secret, reach, auth === 'none'),
        tokenField: auth === 'none' || settings.AUTH_FIELD === '' ? undefined : settings.AUTH_FIELD,
        histories: new Notes(layout.visitors, MAX_VISITORS),
        senders: new Notes(layout.senders, MAX_SENDERS),
        adoptions: new Notes(layout.adoptions, MAX_ADOPTIONS),
        urlOf: urls.forPage,
        idleTimeout: settings.IDLE_TIMEOUT,
        maxChunks: settings.MAX_CHUNKS,
        listsChunks: settings.LEGACY_CHECK === 'list',
      })
    : undefined
  const dialects = legacy === undefined ? undefined : await openDialects(settings, legacy)
  const app = createApp({
    feed,
    admission: new Admission(withLinks(authenticator, links), uploads, application.hasApplication, callers),
    links,
    urlOf: urls.link,
    downloads,
    downloadHost: downloadsFrom,
    signUrl: settings.STORE === 's3' && settings.S3_DOWNLOADS === 'redirect' ? await openSigner(settings) : undefined,
    termination,
    session: session({
      authenticator,
      auth,
      field: settings.AUTH_FIELD,
      downloads,
      termination,
      instant: settings.INSTANT,
      maxSize: settings.MAX_SIZE,
      types: settings.ALLOWED_TYPES,
      maxMetadata: settings.MAX_METADATA,
      usageOf: (account) => ledger.usage(account),
    }),
    createToken: await openTokens(settings, keys.token),
    instant:
      settings.INSTANT === 'off'
        ? undefined
        : (await import('./open-instant.ts')).openInstant(settings, {
            uploads,
            events,
            urlOf: urls.location,
            auth,
            log,
          }),
    tus: new Tus(intake, concatenation, { ...limits, idleTimeout: settings.IDLE_TIMEOUT, termination }),
    draft: new Draft(intake, { ...limits, interimResponses: settings.INTERIM_RESPONSES }),
    legacy,
    dialects,
    pages,
    log,
    allowedOrigins: settings.ALLOWED_ORIGINS,
    allowedHosts: settings.ALLOWED_HOSTS,
    hostNames,
    reach,
    maxUploads: settings.MAX_UPLOADS,
    requests: requestLimit(settings.REQUESTS_PER_MINUTE),
    readiness,
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
  let listening: Connections | undefined
  const isMeasured = settings.ADMIN_PORT !== undefined || embedding.metrics !== undefined
  const metrics = isMeasured
    ? await openMetrics(embedding.metrics, {
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
    : undefined
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

/** Loaded only where pages of other libraries upload. @throws Error with a sentence for each fault, one a line. */
async function openDialects(settings: Settings, { tools }: LegacyAdapter): Promise<Dialects | undefined> {
  if (settings.DIALECTS.length === 0) return undefined
  const { openDialects, readDialects } = await import('./open-dialects.ts')
  return openDialects(await readDialects(settings.DIALECTS), tools, settings.TERMINATION)
}

/** Loaded only for applications that authorize requests. */
async function openAuthorization(authorize: Authorize, settings: Settings, keys: Keys): Promise<Authenticator> {
  if (settings.AUTH !== 'none') throw new Error('The function authorize and the setting AUTH exclude each other.')
  const { ApplicationAuthenticator } = await import('./library/authorization.ts')
  const owners = new Owners(keys, settings.JWT_ISSUER, settings.UNOWNED_UPLOADS)
  return new ApplicationAuthenticator(authorize, owners, keys.account)
}

/** Loaded only where metrics are wanted. */
async function openMetrics(registry: Registry | undefined, measured: Measured): Promise<Metrics> {
  const { openMetrics } = await import('./metrics/open-metrics.ts')
  return openMetrics(measured, registry)
}

/** Loaded only where there is an audit log. */
async function openAudit({ AUDIT_LOG }: Settings, audited: Audited): Promise<Audit> {
  const { openAudit } = await import('./logs/audit.ts')
  return openAudit(AUDIT_LOG, audited)
}

/** Loaded only where uploads are in a bucket. */
async function storeIn(bucket: Environment, settings: Settings, onNotice: (sentence: string) => void): Promise<Store> {
  const { openS3Store } = await import('./open-s3-store.ts')
  return openS3Store(settings, bucket, onNotice)
}

/** Loaded only where downloads are redirected to the bucket. */
async function openSigner(settings: Settings): Promise<SignUrl> {
  const { signUrlsOf } = await import('./sign-urls.ts')
  return signUrlsOf(settings)
}

function requestLimit(perMinute: number): RateLimit | undefined {
  if (!Number.isFinite(perMinute)) return undefined
  return new RateLimit(perMinute, 'Too many requests from your address; try again in a moment.')
}
