import type { Context } from 'koa'
import type { Links } from '../auth/links.ts'
import type { Desk } from '../core/desk.ts'
import { UploadError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { answerJson } from '../http/json.ts'

/** Who may download: clients that may read the upload, only those with a signed link, or none. */
export type Downloads = 'on' | 'signed' | 'off'

/** Default and maximum lifetime of a link, in seconds. */
const LIFETIME = 60 * 60
const MAX_LIFETIME = 30 * 24 * 60 * 60

/** @throws UploadError `forbidden` if this principal may not download, whatever the file is. */
export function checkDownloads(downloads: Downloads, { link }: Principal): void {
  if (downloads === 'off') throw new UploadError('forbidden', 'Downloads are switched off.')
  if (downloads === 'signed' && link === undefined)
    throw new UploadError('forbidden', 'A download needs a signed link.')
}

/**
 * `POST /files/<id>/link?expires_in=<seconds>`: a link with which any client can read the upload, and nothing else.
 *
 * @param urlOf the URL of a file by its name in the path.
 * @returns the handler, which throws UploadError `bad_request`, `forbidden`, and what `Desk.use` throws.
 */
export function createLink(
  links: Links,
  downloads: Downloads,
  urlOf: (ctx: Context, name: string) => string,
): (ctx: Context, desk: Desk, id: string) => Promise<void> {
  return async (ctx, desk, id) => {
    if (downloads === 'off') throw new UploadError('forbidden', 'Downloads are switched off.')
    const lifetime = lifetimeIn(ctx.query['expires_in'])
    await desk.use(id, async () => undefined)
    const expires = Math.floor(Date.now() / 1000) + lifetime
    ctx.status = 201
    ctx.set('Cache-Control', 'no-store')
    answerJson(ctx, { url: urlOf(ctx, links.sign(id, expires)), expires })
  }
}

/** @throws UploadError `bad_request`. */
function lifetimeIn(text: string | readonly string[] | undefined): number {
  if (text === undefined) return LIFETIME
  const seconds = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (seconds >= 1 && seconds <= MAX_LIFETIME) return seconds
  throw new UploadError('bad_request', `The value of expires_in must be 1 to ${MAX_LIFETIME} seconds.`)
}
