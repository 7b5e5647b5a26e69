import type { Range, Ranges } from './ranges.ts'

/** The ranges that a put may write until it releases them. */
export interface Claim {
  /** Empty if nothing was left to write; nothing is held then. */
  readonly ranges: Ranges
  /** To be called when every write under the claim has returned, not before. A second call does nothing. */
  release(): void
}

/**
 * Decides which put may write which bytes of an upload. Claims of one upload are disjoint. Waiting is a queue in order
 * of arrival: each release grants the claims that it made possible. A waiting exclusive claim lets no later claim pass.
 *
 * `want` returns what is still missing at the moment of the grant: bytes that another put has written meanwhile are
 * never claimed. To prevent deadlocks, a put must not wait here while it holds a claim on the same upload.
 *
 * Every method rejects with `signal.reason` when the signal fires while it waits; nothing is held then.
 */
export interface Claims {
  /** Grants everything that `want` returns at once, or waits. For chunks. */
  whole(id: string, want: () => Ranges, signal: AbortSignal): Promise<Claim>
  /**
   * Grants the free beginning of the range that `want` returns, and waits only if its first byte is held. For streams.
   */
  leading(id: string, want: () => Range | undefined, signal: AbortSignal): Promise<Claim>
  /** Grants the whole upload when no part of it is held. For length, finish, delete. */
  exclusive(id: string, signal: AbortSignal): Promise<Claim>
  /** The same without waiting: `undefined` if another claim is held or waits. For expiry. */
  tryExclusive(id: string): Claim | undefined
}
