import type { Context } from 'koa'
import type { IdentityRules } from './identity.ts'
import type { TextStore } from './told-books.ts'
import type { Visitors } from './visitor.ts'

/** How the adapter is set up. */
export interface LegacyOptions {
  readonly rules: IdentityRules
  readonly visitors: Visitors
  /** What visitors have been told. */
  readonly told: TextStore
  /** Which uploads senders mean, where their first id does not say it. */
  readonly senders: TextStore
  /** The URL of an upload as pages are told it. */
  readonly urlOf: (ctx: Context, id: string) => string
  /** After how many milliseconds without a byte a client is given up. */
  readonly idleTimeout: number
  /** Most chunks of a file. */
  readonly maxChunks: number
  /** Whether a bare `/check` lists the chunks of the visitor's unfinished uploads. */
  readonly listsChunks: boolean
}
