import { createLegacyAdapter, type LegacyAdapter } from '../legacy-adapter/adapter.ts'
import type { SenderStore } from '../legacy-adapter/options.ts'
import { Visitors } from '../legacy-adapter/visitor.ts'
import { Admission } from './admission.ts'
import { type App, createApp } from './app.ts'
import type { Authenticator } from './auth/authenticator.ts'
import { Links, withLinks } from './auth/links.ts'
import { session } from './auth/session.ts'
import type { Callers } from './core/callers.ts'
import type { Concatenation } from './core/concatenation.ts'
import type { Events } from './core/events.ts'
import type { Ledger } from './core/ledger.ts'
import { RateLimit } from './core/rate-limit.ts'
import type { Uploads } from './core/uploads.ts'
import type { Dialects } from './dialects.ts'
import type { Layout } from './disk/layout.ts'
import { Notes } from './disk/notes.ts'
import type { downloadHost } from './download/download-host.ts'
import type { SignUrl } from './download/redirect.ts'
import { Draft } from './draft/draft.ts'
import type { Embedding } from './embedding.ts'
import type { Pages } from './http/pages.ts'
import type { RequestFeed } from './http/request-feed.ts'
import type { Reach } from './http/same-origin.ts'
import type { Trace } from './http/trace.ts'
import type { Keys } from './keys.ts'
import type { Application } from './open-application.ts'
import { openTokens } from './open-auth.ts'
import { Intake } from './protocol/intake.ts'
import { uploadUrls } from './protocol/upload-urls.ts'
import type { Readiness } from './readiness.ts'
import type { Environment } from './s3/environment.ts'
import type { Settings } from './settings.ts'
import { Tus } from './tus/tus.ts'

/** What the HTTP application is made of. */
export interface AppParts {
  readonly uploads: Uploads
  readonly events: Events
  readonly ledger: Ledger
  readonly application: Pick<Application, 'hasApplication'>
  readonly downloadsFrom: ReturnType<typeof downloadHost>
  readonly pages: Pages | undefined
  readonly concatenation: Concatenation
  readonly layout: Layout
  readonly bucket: Environment | undefined
  /** Makes the ids of WebUploader files. */
  readonly secret: string
  readonly keys: Keys
  readonly hostNames: ReadonlySet<string>
  readonly reach: Reach
  readonly authenticator: Authenticator
  readonly auth: Settings['AUTH'] | 'application'
  readonly readiness: Readiness
  readonly feed: RequestFeed
  readonly callers: Callers<Trace>
}

/** Maximum WebUploader visitors whose listed chunks are kept, up to 16 KiB each. */
const MAX_VISITORS = 20_000

/** Maximum WebUploader senders whose current upload is kept. */
const MAX_SENDERS = 50_000

/** Maximum WebUploader tasks whose adopted uploads are kept. */
const MAX_ADOPTIONS = 20_000

/** The HTTP application, with the protocols that the settings ask for. @throws Error with a sentence for the operator. */
export async function openApp(
  settings: Settings,
  embedding: Embedding,
  parts: AppParts,
): Promise<{ readonly app: App; readonly dialects: Dialects | undefined }> {
  const { uploads, events, ledger, concatenation, layout, secret, keys, hostNames, reach, authenticator, auth } = parts
  const { log } = embedding
  const { NODE: node, DOWNLOADS: downloads, TERMINATION: termination } = settings
  const urls = uploadUrls(settings.PUBLIC_URL, settings.DOWNLOAD_URL, reach.trustProxy, hostNames)
  const intake = new Intake(concatenation, settings.MAX_SIZE, settings.IDLE_TIMEOUT)
  const limits = { node, maxSize: settings.MAX_SIZE, expiresAfter: settings.EXPIRES_AFTER * 1000, urlOf: urls.location }
  const links = new Links(keys.link)
  const legacy = embedding.webUploader
    ? createLegacyAdapter(uploads, {
        rules: { secret, node, names: settings.LEGACY_IDENTITY },
        visitors: new Visitors(secret, reach, auth === 'none'),
        tokenField: auth === 'none' || settings.AUTH_FIELD === '' ? undefined : settings.AUTH_FIELD,
        histories: new Notes(layout.visitors, MAX_VISITORS),
        senders:
          parts.bucket === undefined ? new Notes(layout.senders, MAX_SENDERS) : await sharedSenders(parts.bucket),
        adoptions: new Notes(layout.adoptions, MAX_ADOPTIONS),
        urlOf: urls.forPage,
        idleTimeout: settings.IDLE_TIMEOUT,
        maxChunks: settings.MAX_CHUNKS,
        listsChunks: settings.LEGACY_CHECK === 'list',
      })
    : undefined
  const dialects = legacy === undefined ? undefined : await openDialects(settings, legacy, layout.senders)
  const app = createApp({
    feed: parts.feed,
    admission: new Admission(withLinks(authenticator, links), uploads, parts.application.hasApplication, parts.callers),
    links,
    urlOf: urls.link,
    downloads,
    downloadHost: parts.downloadsFrom,
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
    pages: parts.pages,
    log,
    allowedOrigins: settings.ALLOWED_ORIGINS,
    allowedHosts: settings.ALLOWED_HOSTS,
    hostNames,
    reach,
    maxUploads: settings.MAX_UPLOADS,
    requests: requestLimit(settings.REQUESTS_PER_MINUTE),
    readiness: parts.readiness,
  })
  return { app, dialects }
}

/**
 * Loaded only where pages of other libraries upload.
 *
 * @param folder for files that must be held until the fields behind them have arrived.
 * @throws Error with a sentence for each fault, one a line.
 */
async function openDialects(
  settings: Settings,
  { tools }: LegacyAdapter,
  folder: string,
): Promise<Dialects | undefined> {
  if (settings.DIALECTS.length === 0) return undefined
  const { openDialects, readDialects, scratchIn } = await import('./open-dialects.ts')
  const { DIALECTS, MIN_FREE, MIN_FREE_INODES, TERMINATION } = settings
  return openDialects(await readDialects(DIALECTS), tools, TERMINATION, scratchIn(folder, MIN_FREE, MIN_FREE_INODES))
}

/** Loaded only where uploads are in a bucket. A chunk may reach another node than the one before. */
async function sharedSenders({ port, prefix }: Environment): Promise<SenderStore> {
  const { BucketNotes } = await import('./s3/bucket-notes.ts')
  const { senderFolder } = await import('./s3/keys.ts')
  return new BucketNotes(port, senderFolder(prefix))
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
