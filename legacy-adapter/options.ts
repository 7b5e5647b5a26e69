import type { Context } from 'koa'
import type { AdoptionStore } from './adopted-uploads.ts'
import type { TextStore } from './check-histories.ts'
import type { IdentityRules } from './identity.ts'
import type { Visitors } from './visitor.ts'

/** Stores the uploads of senders. */
export interface SenderStore extends TextStore {
  /** Writes a note if there is none. @returns whether it did. */
  add(name: string, text: string): Promise<boolean>
}

/** Options of the adapter. */
export interface LegacyOptions {
  readonly rules: IdentityRules
  readonly visitors: Visitors
  /** The field that may hold a token; `undefined` without authentication. */
  readonly tokenField: string | undefined
  /** Stores the chunks that `/check` has listed to visitors. */
  readonly histories: TextStore
  /** Stores the upload of a sender, if its id is not the first id of the sender. */
  readonly senders: SenderStore
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
