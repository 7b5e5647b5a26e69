import type { Context } from 'koa'
import type { UploadError } from './core/errors.ts'
import type { ErrorResponse } from './http/error-response.ts'
import type { Route } from './route.ts'

/** The dialects of other libraries that the service speaks. */
export interface Dialects {
  readonly routes: readonly Route[]
  /** The response to an error, if the path is one of a dialect. */
  readonly errorFor: (ctx: Pick<Context, 'path' | 'method'>, error: UploadError) => ErrorResponse | undefined
  readonly owns: (path: string) => boolean
}
