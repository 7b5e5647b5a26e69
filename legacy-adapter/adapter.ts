import type { Context } from 'koa'
import type { Uploads } from '../server/core/uploads.ts'
import { accept } from './accept.ts'
import { check } from './check.ts'
import { CheckHistories } from './check-histories.ts'
import { complete } from './complete.ts'
import { KeyedLock } from './keyed-lock.ts'
import { LiveUploads } from './live-uploads.ts'
import { Lookup } from './lookup.ts'
import { LoopTurns } from './loop-turns.ts'
import type { LegacyOptions } from './options.ts'
import { Placing } from './placing.ts'

/** Handlers for legacy WebUploader pages. Each throws `UploadError`. */
export interface LegacyAdapter {
  readonly accept: (ctx: Context) => Promise<void>
  readonly complete: (ctx: Context) => Promise<void>
  readonly check: (ctx: Context) => Promise<void>
  /** Sets the visitor cookie when a browser loads a page, so that all chunks of the page have one owner. */
  readonly introduce: (ctx: Context) => void
}

/** Dependencies shared by the handlers. */
export interface Adapter {
  readonly uploads: Uploads
  readonly live: LiveUploads
  readonly histories: CheckHistories
  readonly lookup: Lookup
  readonly placing: Placing
  /** Serializes the lookups of `complete` per file name. */
  readonly lines: KeyedLock
  /** For responses that may name thousands of chunks. */
  readonly turns: LoopTurns
  readonly options: LegacyOptions
}

/** The adapter over the core's uploads: each chunk becomes one put at its offset. */
export function createLegacyAdapter(uploads: Uploads, options: LegacyOptions): LegacyAdapter {
  const live = new LiveUploads(uploads)
  const histories = new CheckHistories(options.histories)
  const lookup = new Lookup(uploads, live, options.senders)
  const placing = new Placing(uploads, live, histories, lookup)
  const adapter: Adapter = {
    uploads,
    live,
    histories,
    lookup,
    placing,
    lines: new KeyedLock(),
    turns: new LoopTurns(),
    options,
  }
  return {
    accept: (ctx) => accept(ctx, adapter),
    complete: (ctx) => complete(ctx, adapter),
    check: (ctx) => check(ctx, adapter),
    introduce: (ctx) => options.visitors.introduce(ctx),
  }
}
