import { waitAtMost } from '../server/core/deadline.ts'
import { now } from './live-uploads.ts'
import type { SenderState } from './which-upload.ts'

/** Maximum senders with a known upload, and maximum senders with a remembered state. */
const MOST_REMEMBERED = 5_000
/** How long a chunk waits for chunk 0 of its sender while none is in flight. Milliseconds. */
const WAIT_WITHOUT_FIRST = 10_000

const NO_FIRST = 'The first chunk of this file must arrive before this one; send this chunk again.'

/** Where a sender's chunks go. Short texts only: an `Identity` would keep all fields of its request in memory. */
export interface KnownUpload {
  readonly id: string
  /** As the record names the sender, with its first id. */
  readonly sender: string
  readonly firstId: string
  /** The task of the caller. */
  readonly group: string
}

/** A sender whose chunks are being placed, or whose upload is undecided. */
export class PendingSender implements SenderState {
  proving: string | undefined
  rejected: SenderState['rejected']
  /** Whether its chunk 0 in flight has begun an upload, so that the others need not wait for it. */
  hasBegun = false
  /** How many of its chunks are being placed. */
  users = 0
  #firsts = 0
  #wake: () => void = () => undefined
  /** Resolves when a chunk 0 is decided, or its request has ended. */
  decided = this.#nextDecision()

  /** Runs `work` for a chunk 0, which counts as in flight meanwhile. */
  async first<T>(work: () => Promise<T>): Promise<T> {
    this.#firsts += 1
    this.wake()
    try {
      return await work()
    } finally {
      this.#firsts -= 1
      if (this.#firsts === 0) this.hasBegun = false
      this.wake()
    }
  }

  /** Whether a chunk 0 is in flight that may turn out to be that of another file. */
  get isComparing(): boolean {
    return this.#firsts > 0 && !this.hasBegun
  }

  /** Wakes the chunks that wait for a decision. */
  wake(): void {
    const wake = this.#wake
    this.decided = this.#nextDecision()
    wake()
  }

  /**
   * Waits for a decision about chunk 0: until `deadline` while one is in flight, and otherwise for 10 seconds.
   *
   * @param decided taken before the waiting chunk was decided, so that no decision is missed.
   * @param deadline as of `now()`.
   * @throws UploadError `busy`.
   */
  async untilDecided(decided: Promise<void>, deadline: number): Promise<void> {
    const left = (): number => Math.max(0, deadline - now())
    try {
      await waitAtMost(this.#firsts > 0 ? left() : Math.min(left(), WAIT_WITHOUT_FIRST), decided, NO_FIRST)
    } catch (busy) {
      if (this.#firsts === 0) throw busy
      await waitAtMost(left(), decided, NO_FIRST)
    }
  }

  #nextDecision(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** The senders whose chunks arrive: where they go, or what they wait for. */
export class Senders {
  /** By the keys of their requests. */
  readonly #known = new Map<string, KnownUpload>()
  /** By their first ids. */
  readonly #pending = new Map<string, PendingSender>()

  knownUpload(key: string): KnownUpload | undefined {
    return this.#known.get(key)
  }

  setKnownUpload(key: string, { id, sender, firstId, group }: KnownUpload): void {
    if (this.#known.has(key)) return
    this.#known.set(key, { id, sender, firstId, group })
    const [oldest] = this.#known.keys()
    if (this.#known.size > MOST_REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
  }

  forgetUpload(key: string): void {
    this.#known.delete(key)
  }

  /** The state of a sender; kept while it is used or undecided. */
  pending(firstId: string): PendingSender {
    const known = this.#pending.get(firstId)
    if (known !== undefined) return known
    const pending = new PendingSender()
    this.#pending.set(firstId, pending)
    if (this.#pending.size > MOST_REMEMBERED) this.#forgetOldest()
    return pending
  }

  /** Runs `work` with the state of a sender. */
  async use<T>(firstId: string, work: (pending: PendingSender) => Promise<T>): Promise<T> {
    const pending = this.pending(firstId)
    pending.users += 1
    try {
      return await work(pending)
    } finally {
      pending.users -= 1
      const isUndecided = pending.proving !== undefined || pending.rejected !== undefined
      if (pending.users === 0 && !isUndecided) this.#pending.delete(firstId)
    }
  }

  #forgetOldest(): void {
    for (const [firstId, { users }] of this.#pending) {
      if (users > 0) continue
      this.#pending.delete(firstId)
      return
    }
  }
}
