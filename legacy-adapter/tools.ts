import type { AdoptedUploads } from './adopted-uploads.ts'
import type { CheckHistories } from './check-histories.ts'
import type { LiveUploads } from './live-uploads.ts'
import type { Lookup } from './lookup.ts'
import type { LoopTurns } from './loop-turns.ts'
import type { LegacyOptions } from './options.ts'
import type { Placing } from './placing.ts'
import type { Senders } from './senders.ts'

/** What the handlers of the adapter share. */
export interface Tools {
  readonly live: LiveUploads
  readonly histories: CheckHistories
  readonly adopted: AdoptedUploads
  readonly lookup: Lookup
  readonly senders: Senders
  readonly placing: Placing
  /** For responses that may name thousands of chunks. */
  readonly turns: LoopTurns
  readonly options: LegacyOptions
}
