import type { Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'

/**
 * Refuses requests whose body other middleware of the application reads, or has read: the upload would lose these bytes.
 *
 * @throws UploadError `body_already_read`.
 */
export const refuseConsumedBody: Middleware = (ctx, next) => {
  const { req } = ctx
  const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
  if (!hasBody || (!req.readableDidRead && req.readableFlowing !== true)) return next()
  throw new UploadError(
    'body_already_read',
    'A body parser of the application has read this request before the upload service. Mount the service before it.',
  )
}
