import type { Logger } from 'pino'
import { type Answer, Refusal } from './core/answer.ts'
import type { Decisions } from './core/decisions.ts'
import type { Events } from './core/events.ts'
import type { Reports } from './core/report.ts'
import type { Uploads } from './core/uploads.ts'
import { Layout } from './disk/layout.ts'
import type { EventPlace, Webhooks } from './open-webhooks.ts'
import type { Settings } from './settings.ts'
import { warnOfUndelivered } from './undelivered.ts'
import { keysOf, signedHeaders } from './webhooks/signature.ts'

/** The parts through which an application decides, and learns what happens. */
export interface Application {
  readonly decisions: Decisions
  /** Where events go. */
  readonly reports: Reports
  /** Whether anything wants to know the requests behind events and decisions. */
  readonly hasApplication: boolean
  /** The webhooks of the settings. */
  readonly webhooks: Pick<Webhooks, 'pending' | 'dead'> | undefined
  /** Called once, when uploads can be reached. */
  connect(uploads: Uploads): void
  /** Delivers what it can in a few seconds. Called after the last upload has changed. */
  close(): Promise<void>
}

/**
 * The application by the settings. Nothing that they do not ask for is loaded.
 *
 * @param own the decisions of an application in this process; then hooks cannot have any.
 * @param place where events for webhooks are kept.
 * @throws Error with a sentence for the operator.
 */
export async function openApplication(
  settings: Settings,
  events: Events,
  own: Decisions | undefined,
  log: Logger,
  place: EventPlace,
): Promise<Application> {
  if (own !== undefined && Object.keys(own).length > 0 && (settings.HOOKS_URL !== '' || settings.HOOKS_DIR !== '')) {
    throw new Error('Hooks exclude the functions beforeCreate, beforeFinish, and beforeDelete of the application.')
  }
  const hooks = await hooksOf(settings, events, log)
  const webhooks =
    settings.WEBHOOK_URLS.length > 0
      ? (await import('./open-webhooks.ts')).openWebhooks(settings, log, place)
      : undefined
  if (webhooks === undefined) warnOfUndelivered(new Layout(settings.DATA_DIR), place.bucket, log)
  return {
    decisions: hooks?.decisions ?? own ?? {},
    reports: { events, outbox: webhooks?.outbox, progressInterval: settings.PROGRESS_INTERVAL },
    hasApplication: own !== undefined || hooks !== undefined,
    webhooks,
    connect: (uploads) => hooks?.connect(uploads),
    close: async () => {
      await hooks?.close()
      await webhooks?.close()
    },
  }
}

async function hooksOf(settings: Settings, events: Events, log: Logger) {
  const { HOOKS_URL: url, HOOKS_DIR: directory } = settings
  if (url === '' && directory === '') return undefined
  const { openHooks } = await import('./hooks/open-hooks.ts')
  const keys = keysOf(settings.HOOKS_SECRET)
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
    close,
    connect: (opened: Uploads) => {
      uploads = opened
    },
  }
}
