import { waitAtMost } from '../server/core/deadline.ts'
import { now } from './live-uploads.ts'
import type { SenderState } from './which-upload.ts'

/** Maximum senders with a known upload, and maximum senders with a remembered state. */
const MOST_KEPT = 5_000
/** How long a chunk waits for chunk 0 of its sender while none is in flight. Milliseconds. */
const SHORT_WAIT = 10_000

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
export class Sender implements SenderState {
  proving: string | undefined
  rejected: SenderState['rejected']
  /** How many of its chunks are being placed. */
  users = 0
  /** Resolves when a chunk 0 is decided, or its request has ended. */
  decided: Promise<void>
  #firsts = 0
  #wake: () => void = () => undefined

  constructor() {
    this.decided = this.#nextDecision()
  }

  /** Runs `work` for a chunk 0, which counts as in flight meanwhile. */
  async first<T>(work: () => Promise<T>): Promise<T> {
    this.#firsts += 1
    try {
      return await work()
    } finally {
      this.#firsts -= 1
      this.wake()
    }
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
      await waitAtMost(this.#firsts > 0 ? left() : Math.min(left(), SHORT_WAIT), decided, NO_FIRST)
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

/** The senders whose chunks arrive: the upload that each is known to feed, or the state of one that is undecided. */
export class Senders {
  /** By the keys of their requests. */
  readonly #uploads = new Map<string, KnownUpload>()
  /** By their first ids. */
  readonly #senders = new Map<string, Sender>()

  knownUpload(key: string): KnownUpload | undefined {
    return this.#uploads.get(key)
  }

  setKnownUpload(key: string, { id, sender, firstId, group }: KnownUpload): void {
    if (this.#uploads.has(key)) return
    this.#uploads.set(key, { id, sender, firstId, group })
    const [oldest] = this.#uploads.keys()
    if (this.#uploads.size > MOST_KEPT && oldest !== undefined) this.#uploads.delete(oldest)
  }

  forgetUpload(key: string): void {
    this.#uploads.delete(key)
  }

  /** Runs `work` with the state of a sender, which is kept meanwhile. */
  async use<T>(firstId: string, work: (sender: Sender) => Promise<T>): Promise<T> {
    const sender = this.of(firstId)
    sender.users += 1
    try {
      return await work(sender)
    } finally {
      sender.users -= 1
      const isUndecided = sender.proving !== undefined || sender.rejected !== undefined
      if (sender.users === 0 && !isUndecided) this.#senders.delete(firstId)
    }
  }

  /** The state of a sender. */
  of(firstId: string): Sender {
    const known = this.#senders.get(firstId)
    if (known !== undefined) return known
    const sender = new Sender()
    this.#senders.set(firstId, sender)
    if (this.#senders.size > MOST_KEPT) this.#forgetOldest()
    return sender
  }

  #forgetOldest(): void {
    for (const [firstId, { users }] of this.#senders) {
      if (users > 0) continue
      this.#senders.delete(firstId)
      return
    }
  }
}
