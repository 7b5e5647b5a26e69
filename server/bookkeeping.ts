import type { Logger } from 'pino'
import { UploadError } from './core/errors.ts'
import { Ledger } from './core/ledger.ts'
import type { Uploads } from './core/uploads.ts'
import type { Layout } from './disk/layout.ts'
import { keepUsage } from './disk/usage-file.ts'
import type { Settings } from './settings.ts'

/** How often the totals are kept, in milliseconds. */
const KEEP_EVERY = 5 * 60 * 1000

/** The ledger with the limits of the settings; nothing is charged yet. */
export function ledgerOf(settings: Settings): Ledger {
  return new Ledger({
    account: { bytes: settings.QUOTA_BYTES, files: settings.QUOTA_FILES, unfinished: settings.QUOTA_UNFINISHED },
    total: { bytes: settings.TOTAL_BYTES, files: settings.TOTAL_FILES, unfinished: settings.TOTAL_UNFINISHED },
    creationsPerMinute: settings.CREATIONS_PER_MINUTE,
    maxMetadata: settings.MAX_METADATA,
  })
}

/** Keeps the ledger beyond the life of the process. */
export class Bookkeeping {
  readonly #ledger: Ledger
  readonly #layout: Layout
  readonly #log: Logger
  readonly #timer: NodeJS.Timeout
  #kept = ''
  #keeping: Promise<void> = Promise.resolve()

  /** Begins to count all uploads, in the background. The ledger has the totals that were kept before. */
  constructor(ledger: Ledger, uploads: Uploads, layout: Layout, log: Logger) {
    this.#ledger = ledger
    this.#layout = layout
    this.#log = log
    this.#timer = setInterval(() => this.#keep(), KEEP_EVERY)
    this.#timer.unref()
    uploads.sweeps
      .recount(ledger)
      .then(() => this.#keep())
      .catch((error: unknown) => {
        if (error instanceof UploadError && error.code === 'stopping') return
        log.error({ err: error }, 'Counting the uploads failed; limits are decided by older totals.')
      })
  }

  /** Keeps the last totals. Call this when uploads have ended, before the store is closed. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#keep()
  }

  #keep(): Promise<void> {
    this.#keeping = this.#keeping.then(() => this.#keepIfChanged())
    return this.#keeping
  }

  async #keepIfChanged(): Promise<void> {
    const text = JSON.stringify(this.#ledger.kept())
    if (text === this.#kept) return
    try {
      await keepUsage(this.#layout, text)
      this.#kept = text
    } catch (error) {
      this.#log.warn({ err: error }, 'The usage of accounts could not be written.')
    }
  }
}
