import type { Logger } from 'pino'
import type { Layout } from './disk/layout.ts'
import { countUndelivered } from './outbox/backlog.ts'
import { hasUndelivered } from './s3/backlog.ts'
import type { Environment } from './s3/environment.ts'

/**
 * Warns, in the background, of events that wait for receivers which the settings no longer name.
 *
 * @param bucket where they are; without it, they are in the data directory.
 */
export function warnOfUndelivered({ outbox }: Layout, bucket: Environment | undefined, log: Logger): void {
  if (bucket !== undefined) {
    hasUndelivered(bucket).then(
      (isSo) => {
        if (isSo) log.warn('Undelivered events in the bucket. Without WEBHOOK_URLS, they stay.')
      },
      (err: unknown) => log.warn({ err }, 'The events in the bucket could not be read.'),
    )
    return
  }
  countUndelivered(outbox).then(
    (count) => {
      if (count > 0) log.warn(`Undelivered events in ${outbox}: ${count}. Without WEBHOOK_URLS, they stay.`)
    },
    (err: unknown) => log.warn({ err }, `${outbox} could not be read.`),
  )
}
