import type { Logger } from 'pino'
import type { Layout } from './disk/layout.ts'
import { countUndelivered } from './outbox/backlog.ts'

/** Warns, in the background, of events that wait for receivers which the settings no longer name. */
export function warnOfUndelivered({ outbox }: Layout, log: Logger): void {
  countUndelivered(outbox).then(
    (count) => {
      if (count > 0) log.warn(`Undelivered events in ${outbox}: ${count}. Without WEBHOOK_URLS, they stay.`)
    },
    (err: unknown) => log.warn({ err }, `${outbox} could not be read.`),
  )
}
