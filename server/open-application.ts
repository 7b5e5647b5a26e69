import type { Logger } from 'pino'
import { type Answer, Refusal } from './core/answer.ts'
import type { Decisions } from './core/decisions.ts'
import type { Events } from './core/events.ts'
import type { Outbox } from './core/outbox.ts'
import type { Reports } from './core/reported-store.ts'
import type { Uploads } from './core/uploads.ts'
import type { Settings } from './settings.ts'
import { keyOf, signedHeaders } from './webhooks/signature.ts'

/** The parts through which an application decides, and learns what happens. */
export interface Application {
  readonly decisions: Decisions
  /** Without them, nothing listens to events. */
  readonly reports: Reports | undefined
  /** Whether anything wants to know the requests behind events and decisions. */
  readonly hasApplication: boolean
  /** Called once, when uploads can be reached. */
  connect(uploads: Uploads): void
  /** Delivers what it can in a few seconds. Called after the last upload has changed. */
  close(): Promise<void>
}

/** The application by the settings. Nothing that they do not ask for is loaded. */
export async function openApplication(
  settings: Settings,
  events: Events,
  outbox: Outbox | undefined,
  log: Logger,
): Promise<Application> {
  const reports = { events, outbox, progressInterval: settings.PROGRESS_INTERVAL }
  const { HOOKS_URL: url, HOOKS_DIR: directory } = settings
  if (url === '' && directory === '') {
    return { decisions: {}, reports, hasApplication: false, connect: () => undefined, close: async () => undefined }
  }
  const { openHooks } = await import('./hooks/open-hooks.ts')
  const keys = settings.HOOKS_SECRET.split(/ +/).flatMap((secret) => keyOf(secret) ?? [])
  let uploads: Uploads | undefined
  const stopUpload = async (id: string, answer: Answer | undefined): Promise<void> => {
    const reason = new Refusal('refused', 'The application stopped this upload.', answer)
    await uploads?.use(id, (upload) => upload.remove('deleted', { onlyIncomplete: true, reason }))
  }
  const options = {
    url,
    directory,
    enabled: settings.HOOKS_EVENTS,
    timeout: settings.HOOKS_TIMEOUT,
    retries: settings.HOOKS_RETRIES,
    backoff: settings.HOOKS_BACKOFF,
    forwardedHeaders: settings.HOOKS_FORWARD_HEADERS,
    sign: (id: string, body: string) => signedHeaders(id, Date.now(), body, keys),
  }
  const { decisions, close } = await openHooks(options, events, stopUpload, log)
  return {
    decisions,
    reports,
    hasApplication: true,
    connect: (opened) => {
      uploads = opened
    },
    close,
  }
}
