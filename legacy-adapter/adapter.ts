import type { Context } from 'koa'
import type { Uploads } from '../server/core/uploads.ts'
import { accept } from './accept.ts'
import { check } from './check.ts'
import { complete } from './complete.ts'
import type { LegacyOptions } from './options.ts'
import { VisitorUploads } from './visitor-uploads.ts'

/** The requests of old WebUploader pages. Each handler throws `UploadError`. */
export interface LegacyAdapter {
  readonly accept: (ctx: Context) => Promise<void>
  readonly complete: (ctx: Context) => Promise<void>
  readonly check: (ctx: Context) => Promise<void>
}

/** The adapter over the core's uploads: each chunk becomes one put at its place. */
export function createLegacyAdapter(uploads: Uploads, options: LegacyOptions): LegacyAdapter {
  const visitorUploads = new VisitorUploads(uploads)
  const onChunk = (visitor: string | undefined, id: string, finished: boolean): void => {
    if (!options.listsChunks || visitor === undefined) return
    if (finished) visitorUploads.forget(visitor, id)
    else visitorUploads.note(visitor, id)
  }
  return {
    accept: (ctx) => accept(ctx, uploads, options, onChunk),
    complete: (ctx) => complete(ctx, uploads, options),
    check: (ctx) => check(ctx, uploads, options, visitorUploads),
  }
}
