import type { Context } from 'koa'
import type { Uploads } from '../server/core/uploads.ts'
import { LoopTurns } from '../server/http/loop-turns.ts'
import { accept } from './accept.ts'
import { check } from './check.ts'
import { complete } from './complete.ts'
import { Lines } from './lines.ts'
import { LiveUploads } from './live-uploads.ts'
import { Lookup } from './lookup.ts'
import type { LegacyOptions } from './options.ts'
import { Placing } from './placing.ts'
import { ToldBooks } from './told-books.ts'

/** The requests of old WebUploader pages. Each handler throws `UploadError`. */
export interface LegacyAdapter {
  readonly accept: (ctx: Context) => Promise<void>
  readonly complete: (ctx: Context) => Promise<void>
  readonly check: (ctx: Context) => Promise<void>
  /** Gives the browser that loads a page its cookie, so that the chunks of the page agree on whose they are. */
  readonly introduce: (ctx: Context) => void
}

/** What the handlers share. */
export interface Adapter {
  readonly uploads: Uploads
  readonly live: LiveUploads
  readonly told: ToldBooks
  readonly lookup: Lookup
  readonly placing: Placing
  /** For `complete`: what is not known of a name is looked for once. */
  readonly lines: Lines
  /** For answers that may name thousands of chunks. */
  readonly turns: LoopTurns
  readonly options: LegacyOptions
}

/** The adapter over the core's uploads: each chunk becomes one put at its place. */
export function createLegacyAdapter(uploads: Uploads, options: LegacyOptions): LegacyAdapter {
  const live = new LiveUploads(uploads)
  const told = new ToldBooks(options.told)
  const lookup = new Lookup(uploads, live, options.senders)
  const placing = new Placing(uploads, live, told, lookup)
  const adapter: Adapter = { uploads, live, told, lookup, placing, lines: new Lines(), turns: new LoopTurns(), options }
  return {
    accept: (ctx) => accept(ctx, adapter),
    complete: (ctx) => complete(ctx, adapter),
    check: (ctx) => check(ctx, adapter),
    introduce: (ctx) => options.visitors.introduce(ctx),
  }
}
