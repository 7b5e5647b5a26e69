import type { Context } from 'koa'
import { KeyedQueue } from '../server/core/keyed-queue.ts'
import type { Uploads } from '../server/core/uploads.ts'
import type { Admit } from '../server/protocol/admit.ts'
import { accept } from './accept.ts'
import { check } from './check.ts'
import { CheckHistories } from './check-histories.ts'
import { complete } from './complete.ts'
import { LiveUploads } from './live-uploads.ts'
import { Lookup } from './lookup.ts'
import { LoopTurns } from './loop-turns.ts'
import type { LegacyOptions } from './options.ts'
import { Placing } from './placing.ts'
import { Senders } from './senders.ts'
import type { Tools } from './tools.ts'

/** Handlers for legacy WebUploader pages. Each throws `UploadError`. */
export interface LegacyAdapter {
  readonly accept: (ctx: Context, admit: Admit) => Promise<void>
  readonly complete: (ctx: Context, admit: Admit) => Promise<void>
  readonly check: (ctx: Context, admit: Admit) => Promise<void>
  /** Sets the visitor cookie when a browser loads a page, so that all chunks of the page have one owner. */
  readonly introduce: (ctx: Context) => void
}

/** The adapter over the core's uploads: each chunk becomes one put at its offset. */
export function createLegacyAdapter(uploads: Uploads, options: LegacyOptions): LegacyAdapter {
  const live = new LiveUploads(uploads)
  const histories = new CheckHistories(options.histories)
  const lookup = new Lookup(uploads, live, options.senders)
  const senders = new Senders()
  const placing = new Placing(uploads, live, histories, lookup, senders)
  const tools: Tools = {
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
    accept: (ctx) => accept(ctx, tools),
    complete: (ctx) => complete(ctx, tools),
    check: (ctx) => check(ctx, tools),
    introduce: (ctx) => options.visitors.introduce(ctx),
  }
}
