import type { Logger } from 'pino'
import type { RequestFeed } from '../http/request-feed.ts'

/**
 * Logs each request when it has ended: by its route, because paths contain links. Durations are in milliseconds.
 */
export function logAccess(feed: RequestFeed, log: Logger): void {
  feed.on(({ id, firstByte, duration, isAborted, ...facts }) => {
    const times = { firstByte: firstByte && rounded(firstByte), duration: duration && rounded(duration) }
    log.info({ request: id, ...facts, ...times, ...(isAborted && { aborted: true }) }, 'Request ended.')
  })
}

/** To microseconds. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}
