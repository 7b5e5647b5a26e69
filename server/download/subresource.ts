import type { Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import { FILE_PATH } from '../http/paths.ts'

/**
 * The destinations (Fetch Metadata) for which a file is only shown or saved. Absent without TLS; `empty` is `fetch`.
 * Others run the file, or apply it to a page: scripts, workers, styles, fonts, manifests, XSLT, plug-ins.
 */
const SHOWN: ReadonlySet<string> = new Set([
  '',
  'empty',
  'document',
  'frame',
  'iframe',
  'image',
  'audio',
  'video',
  'track',
])

/**
 * Refuses files as parts of a page that could run them. A service worker from an upload would answer all later
 * downloads: neither `sandbox` nor `attachment` prevents that.
 *
 * @throws UploadError `forbidden`.
 */
export const refuseAsSubresource: Middleware = (ctx, next) => {
  if (ctx.method !== 'GET' || !FILE_PATH.test(ctx.path)) return next()
  if (SHOWN.has(ctx.get('Sec-Fetch-Dest')) && ctx.get('Service-Worker') === '') return next()
  throw new UploadError('forbidden', 'Uploaded files cannot be loaded as a script, a style sheet, or a plug-in.')
}
