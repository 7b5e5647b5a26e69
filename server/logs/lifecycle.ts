import type { Logger } from 'pino'
import type { Callers } from '../core/callers.ts'
import { EVENT_TYPES, type Events } from '../core/events.ts'
import type { Trace } from '../http/trace.ts'
import { callerOf, factsOf } from './event-facts.ts'

const LOGGED = EVENT_TYPES.filter((type) => type !== 'progress')

/** Logs what happens to uploads, one line for each event. @param callers knows the requests that cause it. */
export function logLifecycle(events: Events, log: Logger, callers: Callers<Trace>): void {
  if (!log.isLevelEnabled('info')) return
  events.on(LOGGED, (event) => {
    log.info({ event: event.type, ...factsOf(event, callerOf(event, callers)) }, `Upload ${event.type}.`)
  })
}
