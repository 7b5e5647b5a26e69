import type http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import pino, { type Logger } from 'pino'
import { createLegacyAdapter } from '../legacy-adapter/adapter.ts'
import { Visitors } from '../legacy-adapter/visitor.ts'
import { createApp, dialectOf } from './app.ts'
import { cautiousTime } from './core/cautious-time.ts'
import { Concatenation } from './core/concatenation.ts'
import { systemCode, UploadError } from './core/errors.ts'
import type { Uploads } from './core/uploads.ts'
import type { Step } from './disk/environment.ts'
import { Layout } from './disk/layout.ts'
import { Notes } from './disk/notes.ts'
import { folderSecret } from './disk/secret.ts'
import { Draft } from './draft/draft.ts'
import { namesOf } from './http/allowed-hosts.ts'
import { connections } from './http/connections.ts'
import { Intake } from './http/intake.ts'
import { loadPages } from './http/pages.ts'
import { refusals } from './http/refusal.ts'
import { uploadUrls } from './http/upload-urls.ts'
import { openStore } from './open-store.ts'
import type { Settings } from './settings.ts'
import { Tus } from './tus/tus.ts'

/** A running service. */
export interface Service {
  /** `http://host:port` */
  readonly url: string
  /** Stops: nothing new is taken, running requests get up to `DRAIN` seconds, then they are ended with their bytes kept. */
  close(): Promise<void>
}

/** How often unfinished uploads are looked through for expired ones, in milliseconds. */
const SWEEP_EVERY = 60 * 60 * 1000

/** For how long it is remembered at least that an upload was deleted or has expired, in milliseconds: 410 instead of 404. */
const GONE_KEPT = 7 * 24 * 60 * 60 * 1000

/** Maximum WebUploader visitors whose listed chunks are kept; each takes up to 16 KiB. */
const MOST_VISITORS = 20_000

/** Maximum WebUploader senders whose current upload is kept. */
const MOST_SENDERS = 50_000

/**
 * Starts the service: here the implementations are chosen.
 *
 * @param onStep told of each step that the disk store has done; tests stop the program there.
 * @param pagesFolder where the build has put the pages.
 * @throws Error with a sentence for the operator when the data folder or the port cannot be had.
 */
export async function start(
  settings: Settings,
  onStep: (step: Step) => void = () => undefined,
  pagesFolder: string = fileURLToPath(new URL('../client', import.meta.url)),
): Promise<Service> {
  const log = pino({ level: settings.LOG_LEVEL }, pino.destination({ dest: 2, sync: true }))
  const pages = await loadPages(pagesFolder)
  const uploads = await openStore({
    directory: settings.DATA_DIR,
    sync: settings.SYNC,
    maxSize: settings.MAX_SIZE,
    onNotice: (sentence) => log.warn(sentence),
    onStep,
  })
  const layout = new Layout(settings.DATA_DIR)
  const secret = settings.SECRET === '' ? await folderSecret(layout) : settings.SECRET
  const concatenation = new Concatenation(uploads, secret)
  const trustProxy = settings.TRUST_PROXY
  const hostNames = namesOf(settings.ALLOWED_HOSTS, settings.HOST, settings.PUBLIC_URL)
  const urls = uploadUrls(settings.PUBLIC_URL, trustProxy, hostNames)
  const intake = new Intake(uploads, concatenation, settings.MAX_SIZE, settings.IDLE_TIMEOUT)
  const limits = { maxSize: settings.MAX_SIZE, expiresAfter: settings.EXPIRES_AFTER * 1000, urlOf: urls.location }
  const reach = { publicUrl: settings.PUBLIC_URL, trustProxy }
  let ready = true
  const app = createApp({
    uploads,
    tus: new Tus(uploads, intake, concatenation, { ...limits, idleTimeout: settings.IDLE_TIMEOUT }),
    draft: new Draft(uploads, intake, { ...limits, interimResponses: settings.INTERIM_RESPONSES }),
    legacy: createLegacyAdapter(uploads, {
      rules: { secret, names: settings.LEGACY_IDENTITY },
      visitors: new Visitors(secret, reach),
      histories: new Notes(layout.visitors, MOST_VISITORS),
      senders: new Notes(layout.senders, MOST_SENDERS),
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
    trustProxy,
    maxUploads: settings.MAX_UPLOADS,
    ready: () => ready,
  })
  const refuse = refusals(log, settings.ALLOWED_ORIGINS, dialectOf)
  const { server, drain } = connections(app.callback(), settings.IDLE_TIMEOUT, settings.MAX_CONNECTIONS, refuse)
  await listen(server, settings).catch(async (error: unknown) => {
    await uploads.close()
    throw error
  })
  const background = keepTidy(uploads, concatenation, settings.EXPIRES_AFTER, log)
  return {
    url: urlOfServer(server, settings.HOST),
    close: async () => {
      ready = false
      background.stop()
      await drain(settings.DRAIN * 1000)
      await concatenation.close()
      await uploads.close()
      server.closeAllConnections()
    },
  }
}

function listen(server: http.Server, settings: Settings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const taken = systemCode(error) === 'EADDRINUSE'
      reject(taken ? new Error(`Port ${settings.PORT} of ${settings.HOST} is in use. Choose another PORT.`) : error)
    })
    server.listen(settings.PORT, settings.HOST, resolve)
  })
}

function keepTidy(uploads: Uploads, concatenation: Concatenation, expiresAfter: number, log: Logger): { stop(): void } {
  const now = cautiousTime()
  const logError = (sentence: string) => (error: unknown) => {
    // Work that a stop interrupts is resumed at the next start.
    if (error instanceof UploadError && error.code === 'stopping') return
    log.error({ err: error }, sentence)
  }
  let isSweeping = false
  const sweep = async (): Promise<void> => {
    // With very many uploads a sweep may take longer than its interval.
    if (isSweeping) return
    isSweeping = true
    const expired = uploads.expire(new Date(now() - expiresAfter * 1000)).then((count) => {
      if (count > 0) log.info({ count }, 'Unfinished uploads expired.')
    })
    await expired.catch(logError('Expiring uploads failed.'))
    const forgotten = uploads.forgetGone(new Date(now() - GONE_KEPT))
    await forgotten.catch(logError('Removing old tombstones failed.'))
    isSweeping = false
  }
  concatenation.resume().catch(logError('Resuming unfinished work failed.'))
  const timer = setInterval(sweep, Math.min(SWEEP_EVERY, expiresAfter * 500))
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

function urlOfServer(server: http.Server, host: string): string {
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
