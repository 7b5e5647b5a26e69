import type { Context } from 'koa'
import type { AdoptionStore } from './adopted-uploads.ts'
import type { TextStore } from './check-histories.ts'
import type { IdentityRules } from './identity.ts'
import type { Visitors } from './visitor.ts'

/** Options of the adapter. */
export interface LegacyOptions {
  readonly rules: IdentityRules
  readonly visitors: Visitors
  /** The field that may hold a token; `undefined` without authentication. */
  readonly tokenField: string | undefined
  /** Stores the chunks that `/check` has listed to visitors. */
  readonly histories: TextStore
  /** Stores the upload of a sender, if its id is not the first id of the sender. */
  readonly senders: TextStore
  /** Stores the uploads that tasks have adopted. */
  readonly adoptions: AdoptionStore
  /** The public URL of an upload. */
  readonly urlOf: (ctx: Context, id: string) => string
  /** Idle timeout of a client in milliseconds. */
  readonly idleTimeout: number
  /** Maximum chunks per file. */
  readonly maxChunks: number
  /** Whether a bare `/check` lists the chunks of the visitor's unfinished uploads. */
  readonly listsChunks: boolean
}
