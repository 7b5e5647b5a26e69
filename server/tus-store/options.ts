import { z } from 'zod'
import type { SyncMode } from '../disk/environment.ts'

/** The options of a `LandfallStore`. */
export interface LandfallStoreOptions {
  /** The data directory. One process at a time uses it; the service can open it, too. */
  readonly directory: string
  /**
   * When bytes are synced to disk: `finish` (the default) before an upload is reported as finished, `always` before
   * anything is acknowledged, `never` leaves it to the OS.
   */
  readonly sync?: SyncMode
  /** Maximum bytes of a file; unlimited by default. */
  readonly maxSize?: number
  /** Seconds after its last byte until an unfinished upload expires. 0, the default: never. Finished files never do. */
  readonly expiresAfter?: number
  /**
   * Receives everything that a client must not see: a sentence for the operator, and its cause if there is one. By
   * default, it becomes a warning of the process.
   */
  readonly warn?: (sentence: string, cause?: unknown) => void
}

const schema = z.strictObject({
  directory: z.string().min(1),
  sync: z.enum(['finish', 'always', 'never']).optional(),
  maxSize: z.number().int().positive().or(z.literal(Number.POSITIVE_INFINITY)).optional(),
  expiresAfter: z.number().nonnegative().optional(),
  warn: z.custom((value) => typeof value === 'function', 'expected a function').optional(),
})

/** @throws TypeError with a sentence for the developer. */
export function checkOptions(options: LandfallStoreOptions): void {
  const { error } = schema.safeParse(options)
  const issue = error?.issues[0]
  if (issue === undefined) return
  throw new TypeError(`LandfallStore: ${issue.path.join('.') || 'options'}: ${issue.message}.`)
}
