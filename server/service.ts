import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { createLegacyAdapter } from '../legacy-adapter/adapter.ts'
import { Visitors } from '../legacy-adapter/visitor.ts'
import { Admission } from './admission.ts'
import { createApp } from './app.ts'
import { Links, withLinks } from './auth/links.ts'
import { session } from './auth/session.ts'
import { startBackgroundWork } from './background-work.ts'
import { Bookkeeping, ledgerOf } from './bookkeeping.ts'
import { connections } from './connections/connections.ts'
import { refusals } from './connections/refusal.ts'
import { Concatenation } from './core/concatenation.ts'
import { Events } from './core/events.ts'
import { RateLimit } from './core/rate-limit.ts'
import { dialectOf } from './dialect.ts'
import type { Step } from './disk/environment.ts'
import { Layout } from './disk/layout.ts'
import { Notes } from './disk/notes.ts'
import { readUsage } from './disk/usage-file.ts'
import { downloadHost } from './download/download-host.ts'
import { Draft } from './draft/draft.ts'
import { exposure } from './exposure.ts'
import { namesOf } from './http/allowed-hosts.ts'
import { loadPages } from './http/pages.ts'
import { listen, urlOfServer } from './listening.ts'
import { openApplication } from './open-application.ts'
import { openAuth, openTokens } from './open-auth.ts'
import { openChecks } from './open-checks.ts'
import { openStore } from './open-store.ts'
import { Intake } from './protocol/intake.ts'
import { uploadUrls } from './protocol/upload-urls.ts'
import { secretsOf } from './secrets.ts'
import type { Settings } from './settings.ts'
import { Tus } from './tus/tus.ts'
import { warnOfUndelivered } from './undelivered.ts'

/** A running service. */
export interface Service {
  /** `http://host:port` */
  readonly url: string
  /** Refuses new work; running requests may continue for up to `DRAIN` seconds, then they are interrupted. */
  close(): Promise<void>
}

/** Maximum WebUploader visitors whose listed chunks are kept, up to 16 KiB each. */
const MAX_VISITORS = 20_000

/** Maximum WebUploader senders whose current upload is kept. */
const MAX_SENDERS = 50_000

/**
 * Wires the implementations together and starts the service.
 *
 * @param onStep called after each step of the disk store; tests stop the program there.
 * @param pagesFolder the directory of the built pages.
 * @throws Error with a sentence for the operator when the data directory or the port is not available.
 */
export async function start(
  settings: Settings,
  onStep: (step: Step) => void = () => undefined,
  pagesFolder: string = fileURLToPath(new URL('../client', import.meta.url)),
): Promise<Service> {
  const log = pino({ level: settings.LOG_LEVEL }, pino.destination({ dest: 2, sync: true }))
  const downloadsFrom = downloadHost(settings.DOWNLOAD_URL, settings.PUBLIC_URL, settings.TRUST_PROXY)
  const pages = await loadPages(pagesFolder)
  const layout = new Layout(settings.DATA_DIR)
  const events = new Events((error) => log.error({ err: error }, 'A listener of events failed.'))
  // Loaded only where there are webhooks.
  const webhooks =
    settings.WEBHOOK_URLS.length > 0
      ? (await import('./open-webhooks.ts')).openWebhooks(settings, log, onStep)
      : undefined
  if (webhooks === undefined) warnOfUndelivered(layout, log)
  const application = await openApplication(settings, events, webhooks?.outbox, log)
  const { decisions, reports, hasApplication } = application
  const ledger = ledgerOf(settings)
  const uploads = await openStore({
    directory: settings.DATA_DIR,
    sync: settings.SYNC,
    maxSize: settings.MAX_SIZE,
    fileMode: settings.FILE_MODE,
    folderMode: settings.DIR_MODE,
    maxRejected: settings.QUARANTINE_SIZE,
    checks: openChecks(settings, log),
    decisions,
    reports,
    ledger,
    minFree: settings.MIN_FREE,
    minFreeInodes: settings.MIN_FREE_INODES,
    onNotice: (sentence) => log.warn(sentence),
    onStep,
  })
  application.connect(uploads)
  const usage = await readUsage(layout)
  if (usage !== undefined) ledger.restore(usage)
  const { ids: secret, keys } = await secretsOf(settings, (sentence) => log.warn(sentence))
  const concatenation = new Concatenation(uploads, secret)
  const trustProxy = settings.TRUST_PROXY
  const hostNames = namesOf(settings.ALLOWED_HOSTS, settings.HOST, [settings.PUBLIC_URL, settings.DOWNLOAD_URL])
  const urls = uploadUrls(settings.PUBLIC_URL, settings.DOWNLOAD_URL, trustProxy, hostNames)
  const intake = new Intake(concatenation, settings.MAX_SIZE, settings.IDLE_TIMEOUT)
  const limits = { maxSize: settings.MAX_SIZE, expiresAfter: settings.EXPIRES_AFTER * 1000, urlOf: urls.location }
  const reach = { publicUrl: settings.PUBLIC_URL, trustProxy }
  const links = new Links(keys.link)
  const authenticator = await openAuth(settings, keys, reach, (sentence) => log.warn(sentence))
  const { DOWNLOADS: downloads, TERMINATION: termination } = settings
  let ready = true
  const app = createApp({
    admission: new Admission(withLinks(authenticator, links), uploads, hasApplication),
    links,
    urlOf: urls.link,
    downloads,
    downloadHost: downloadsFrom,
    termination,
    session: session({
      authenticator,
      auth: settings.AUTH,
      field: settings.AUTH_FIELD,
      downloads,
      termination,
      maxSize: settings.MAX_SIZE,
      types: settings.ALLOWED_TYPES,
      maxMetadata: settings.MAX_METADATA,
      usageOf: (account) => ledger.usage(account),
    }),
    createToken: await openTokens(settings, keys.token),
    tus: new Tus(intake, concatenation, { ...limits, idleTimeout: settings.IDLE_TIMEOUT, termination }),
    draft: new Draft(intake, { ...limits, interimResponses: settings.INTERIM_RESPONSES }),
    legacy: createLegacyAdapter(uploads, {
      rules: { secret, names: settings.LEGACY_IDENTITY },
      visitors: new Visitors(secret, reach, settings.AUTH === 'none'),
      tokenField: settings.AUTH === 'none' || settings.AUTH_FIELD === '' ? undefined : settings.AUTH_FIELD,
      histories: new Notes(layout.visitors, MAX_VISITORS),
      senders: new Notes(layout.senders, MAX_SENDERS),
      urlOf: urls.forPage,
      idleTimeout: settings.IDLE_TIMEOUT,
      maxChunks: settings.MAX_CHUNKS,
      listsChunks: settings.LEGACY_CHECK === 'list',
    }),
    pages,
    log,
    allowedOrigins: settings.ALLOWED_ORIGINS,
    allowedHosts: settings.ALLOWED_HOSTS,
    hostNames,
    reach,
    maxUploads: settings.MAX_UPLOADS,
    requests: requestLimit(settings.REQUESTS_PER_MINUTE),
    ready: () => ready,
  })
  const refuse = refusals(log, settings.ALLOWED_ORIGINS, dialectOf)
  const { server, drain } = connections(app.callback(), settings.IDLE_TIMEOUT, settings.MAX_CONNECTIONS, refuse)
  await listen(server, settings).catch(async (error: unknown) => {
    await webhooks?.close()
    await uploads.close()
    throw error
  })
  const warning = exposure(server.address(), settings.AUTH, process.env['container'])
  if (warning !== undefined) log.warn(warning)
  const bookkeeping = new Bookkeeping(ledger, uploads, layout, log)
  const background = startBackgroundWork(uploads, concatenation, settings.EXPIRES_AFTER, log)
  return {
    url: urlOfServer(server, settings.HOST),
    close: async () => {
      ready = false
      background.stop()
      await drain(settings.DRAIN * 1000)
      await concatenation.close()
      // Requests beyond DRAIN change what uploads cost until they have ended.
      await uploads.end()
      await application.close()
      await webhooks?.close()
      await bookkeeping.close()
      await uploads.close()
      server.closeAllConnections()
    },
  }
}

function requestLimit(perMinute: number): RateLimit | undefined {
  if (!Number.isFinite(perMinute)) return undefined
  return new RateLimit(perMinute, 'Too many requests from your address; try again in a moment.')
}
