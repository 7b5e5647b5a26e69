import type { Context } from 'koa'
import { KeyedQueue } from '../server/core/keyed-queue.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { accept } from './accept.ts'
import { check } from './check.ts'
import { CheckHistories, type TextStore } from './check-histories.ts'
import { complete } from './complete.ts'
import type { IdentityRules } from './identity.ts'
import { LiveUploads } from './live-uploads.ts'
import { Lookup } from './lookup.ts'
import { LoopTurns } from './loop-turns.ts'
import { Placing } from './placing.ts'
import { Senders } from './senders.ts'
import type { Visitors } from './visitor.ts'

/** Handlers for legacy WebUploader pages. Each throws `UploadError`. */
export interface LegacyAdapter {
  readonly accept: (ctx: Context) => Promise<void>
  readonly complete: (ctx: Context) => Promise<void>
  readonly check: (ctx: Context) => Promise<void>
  /** Sets the visitor cookie when a browser loads a page, so that all chunks of the page have one owner. */
  readonly introduce: (ctx: Context) => void
}

/** Options of the adapter. */
export interface LegacyOptions {
  readonly rules: IdentityRules
  readonly visitors: Visitors
  /** Stores the chunks that `/check` has listed to visitors. */
  readonly histories: TextStore
  /** Stores the upload of a sender, if its id is not the first id of the sender. */
  readonly senders: TextStore
  /** The public URL of an upload. */
  readonly urlOf: (ctx: Context, id: string) => string
  /** Idle timeout of a client in milliseconds. */
  readonly idleTimeout: number
  /** Maximum chunks per file. */
  readonly maxChunks: number
  /** Whether a bare `/check` lists the chunks of the visitor's unfinished uploads. */
  readonly listsChunks: boolean
}

/** Dependencies shared by the handlers. */
export interface Adapter {
  readonly uploads: Uploads
  readonly live: LiveUploads
  readonly histories: CheckHistories
  readonly lookup: Lookup
  readonly senders: Senders
  readonly placing: Placing
  /** Runs the lookups of `complete` one at a time per file name. */
  readonly queue: KeyedQueue
  /** For responses that may name thousands of chunks. */
  readonly turns: LoopTurns
  readonly options: LegacyOptions
}

/** The adapter over the core's uploads: each chunk becomes one put at its offset. */
export function createLegacyAdapter(uploads: Uploads, options: LegacyOptions): LegacyAdapter {
  const live = new LiveUploads(uploads)
  const histories = new CheckHistories(options.histories)
  const lookup = new Lookup(uploads, live, options.senders)
  const senders = new Senders()
  const placing = new Placing(uploads, live, histories, lookup, senders)
  const adapter: Adapter = {
    uploads,
    live,
    histories,
    lookup,
    senders,
    placing,
    queue: new KeyedQueue(),
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
