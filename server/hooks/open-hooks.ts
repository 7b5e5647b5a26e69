import { setMaxListeners } from 'node:events'
import { stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Decisions } from '../core/decisions.ts'
import { EVENT_TYPES, type Events } from '../core/events.ts'
import { hookDecisions } from './decisions.ts'
import { HOOK_OF_EVENT, type HookName } from './hook-names.ts'
import { HttpTransport, type HttpTransportOptions } from './http-transport.ts'
import { Notifications, type StopUpload } from './notifications.ts'
import { ProgramTransport } from './program-transport.ts'
import { Receiver } from './receiver.ts'
import type { Transport } from './transport.ts'

/** How long a stop waits for calls of `post-*` hooks, in milliseconds. */
const CLOSING_WAIT = 5_000

/** Where hooks go, and which. */
export interface HookOptions {
  /** `HOOKS_URL`; empty for none. */
  readonly url: string
  /** `HOOKS_DIR`; empty for none. */
  readonly directory: string
  readonly enabled: ReadonlySet<HookName>
  /** Maximum duration of an attempt, in milliseconds. */
  readonly timeout: number
  readonly retries: number
  /** Milliseconds. */
  readonly backoff: number
  readonly forwardedHeaders: readonly string[]
  readonly sign: HttpTransportOptions['sign']
}

/** The hooks of a running service. */
export interface Hooks {
  readonly decisions: Decisions
  /** Waits a moment for running calls, then ends them. */
  close(): Promise<void>
}

/**
 * Connects hooks with the events and decisions of uploads.
 *
 * @throws Error with a sentence for the operator when the directory of programs is missing.
 */
export async function openHooks(
  options: HookOptions,
  events: Events,
  stopUpload: StopUpload,
  log: Logger,
): Promise<Hooks> {
  const { enabled, timeout } = options
  const closing = new AbortController()
  // Every running call listens.
  setMaxListeners(0, closing.signal)
  const transport = await transportOf(options, log)
  const notifications = new Notifications(transport, stopUpload, log, closing.signal)
  const reported = EVENT_TYPES.filter((type) => enabled.has(HOOK_OF_EVENT[type]))
  events.on(reported, notifications.notify)
  return {
    decisions: hookDecisions(enabled, new Receiver(transport, timeout, closing.signal), log),
    close: async () => {
      const timer = setTimeout(() => closing.abort(new Error('The service is stopping.')), CLOSING_WAIT)
      await notifications.settled()
      clearTimeout(timer)
      closing.abort(new Error('The service is stopping.'))
      transport.close()
    },
  }
}

async function transportOf(options: HookOptions, log: Logger): Promise<Transport> {
  const { url, directory, timeout } = options
  if (url !== '') return new HttpTransport({ ...options, url })
  const isDirectory = await stat(directory).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  // Without it, every hook would be one without a program.
  if (!isDirectory) throw new Error(`HOOKS_DIR must be a directory: ${directory}.`)
  return new ProgramTransport(directory, timeout, log)
}
