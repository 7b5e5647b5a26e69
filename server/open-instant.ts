import type { Context } from 'koa'
import type { Logger } from 'pino'
import { UploadError } from './core/errors.ts'
import type { Events } from './core/events.ts'
import { Instant } from './core/instant.ts'
import type { Uploads } from './core/uploads.ts'
import { InstantEndpoints } from './instant/instant-endpoints.ts'
import type { Settings } from './settings.ts'

interface Parts {
  readonly uploads: Uploads
  readonly events: Events
  readonly urlOf: (ctx: Context, id: string) => string
  readonly auth: string
  readonly log: Logger
}

/** The endpoints of uploads that need not be sent. Earlier files are found in the background. */
export function openInstant(settings: Settings, { uploads, events, urlOf, auth, log }: Parts): InstantEndpoints {
  const scope = settings.INSTANT === 'all' ? 'all' : 'owner'
  if (scope === 'owner' && auth === 'none') {
    log.warn('INSTANT=owner finds no file without AUTH: anonymous clients have no files of their own.')
  }
  const instant = new Instant(uploads, scope, events, settings.NODE)
  instant.learn().catch((error: unknown) => {
    if (error instanceof UploadError && error.code === 'stopping') return
    log.error({ err: error }, 'Looking for finished files failed; instant uploads will not find all of them.')
  })
  return new InstantEndpoints(instant, { idleTimeout: settings.IDLE_TIMEOUT, urlOf })
}
