import type { Context } from 'koa'
import type { Admit } from '../server/protocol/admit.ts'
import { accept } from './accept.ts'
import { AdoptedUploads } from './adopted-uploads.ts'
import { check } from './check.ts'
import { CheckHistories } from './check-histories.ts'
import { complete } from './complete.ts'
import { describe } from './describe.ts'
import { LiveUploads, type UploadIds } from './live-uploads.ts'
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
  /** Tells a script that the URL for chunks is one of this service. */
  readonly describe: (ctx: Context) => void
  /** Sets the visitor cookie when a browser loads a page, so that all chunks of the page have one owner. */
  readonly introduce: (ctx: Context) => void
  /** What other libraries upload with. */
  readonly tools: Tools
}

/**
 * The adapter over the core's uploads: each chunk becomes one put at its offset. It reaches uploads only through the
 * desk of each request.
 */
export function createLegacyAdapter(ids: UploadIds, options: LegacyOptions): LegacyAdapter {
  const live = new LiveUploads(ids)
  const histories = new CheckHistories(options.histories)
  const lookup = new Lookup(live, options.senders)
  const senders = new Senders()
  const placing = new Placing(live, histories, lookup, senders)
  const tools: Tools = {
    live,
    histories,
    adopted: new AdoptedUploads(options.adoptions),
    lookup,
    senders,
    placing,
    turns: new LoopTurns(),
    options,
  }
  return {
    accept: (ctx, admit) => accept(ctx, admit, tools),
    complete: (ctx, admit) => complete(ctx, admit, tools),
    check: (ctx, admit) => check(ctx, admit, tools),
    describe: (ctx) => describe(ctx, options),
    introduce: (ctx) => options.visitors.introduce(ctx),
    tools,
  }
}
