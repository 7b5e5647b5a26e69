import type { Logger } from 'pino'
import { cautiousTime } from './core/cautious-time.ts'
import type { Concatenation } from './core/concatenation.ts'
import { UploadError } from './core/errors.ts'
import type { Uploads } from './core/uploads.ts'

/** Maximum time between two sweeps for expired uploads, in milliseconds. */
const SWEEP_EVERY = 60 * 60 * 1000

/** Minimum age of a tombstone before it is removed, in milliseconds; from then on, the upload is 404 instead of 410. */
const TOMBSTONE_LIFETIME = 7 * 24 * 60 * 60 * 1000

/**
 * Resumes finishing and concatenations that a crash interrupted, then removes expired uploads and old tombstones at
 * intervals, until `stop`.
 *
 * @param expiresAfter how long an unfinished upload is kept after its last byte, in seconds.
 */
export function startBackgroundWork(
  uploads: Uploads,
  concatenation: Concatenation,
  expiresAfter: number,
  log: Logger,
): { stop(): void } {
  const now = cautiousTime()
  const logError = (sentence: string) => (error: unknown) => {
    // Work that a stop interrupts is resumed at the next start.
    if (error instanceof UploadError && error.code === 'stopping') return
    log.error({ err: error }, sentence)
  }
  let isSweeping = false
  let isResuming = false
  const resume = (): void => {
    if (isResuming) return
    isResuming = true
    concatenation
      .resume()
      .catch(logError('Resuming unfinished work failed.'))
      .finally(() => {
        isResuming = false
      })
  }
  const sweep = async (): Promise<void> => {
    // With very many uploads a sweep may take longer than its interval.
    if (isSweeping) return
    isSweeping = true
    const expired = uploads.sweeps.expire(new Date(now() - expiresAfter * 1000)).then((count) => {
      if (count > 0) log.info({ count }, 'Unfinished uploads expired.')
    })
    await expired.catch(logError('Expiring uploads failed.'))
    const forgotten = uploads.sweeps.forgetGone(new Date(now() - TOMBSTONE_LIFETIME))
    await forgotten.catch(logError('Removing old tombstones failed.'))
    // What another process has left.
    await uploads.sweeps.tidy().catch(logError('Removing what crashes have left failed.'))
    if (uploads.isShared) resume()
    isSweeping = false
  }
  resume()
  const timer = setInterval(sweep, Math.min(SWEEP_EVERY, expiresAfter * 500))
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
