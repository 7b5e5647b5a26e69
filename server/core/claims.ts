import type { Range, Ranges } from './ranges.ts'

/** What a put may write until it lets go of it. */
export interface Claim {
  /** Empty when nothing was left to write: then nothing is held. */
  readonly ranges: Ranges
  /** Call it when every write under the claim has returned, not before. A second call does nothing. */
  release(): void
}

/**
 * Who may write which bytes of which upload. Claims of one upload are disjoint. Waiting is a queue in order of arrival:
 * each release wakes those whose wish can now be granted. An exclusion that waits lets no later claim pass.
 *
 * `want` says what is still missing at the moment of the grant: bytes that others have brought in the meantime are never
 * claimed. Nobody may wait here while holding a claim on the same upload, so nobody holds what another waits for.
 *
 * Every method rejects with `signal.reason` when the signal fires while it waits; nothing is held then.
 */
export interface Claims {
  /** Grants everything that `want` asks for at once, or waits. For chunks. */
  whole(id: string, want: () => Ranges, signal: AbortSignal): Promise<Claim>
  /** Grants the free beginning of the one range that `want` asks for, and waits only if its first byte is held. For streams. */
  leading(id: string, want: () => Range | undefined, signal: AbortSignal): Promise<Claim>
  /** Grants the upload as a whole when nobody holds a part of it. For length, finish, delete. */
  exclusive(id: string, signal: AbortSignal): Promise<Claim>
  /** The same, or `undefined` at once when somebody holds or waits for something. For expiry. */
  tryExclusive(id: string): Claim | undefined
}
