import { randomBytes } from 'node:crypto'

/** How long a challenge may be answered, in milliseconds. */
const LIFETIME = 120_000
/** Maximum open challenges, of one caller and in all; the oldest are dropped. */
const MAX_PER_CALLER = 64
const MAX_OPEN = 10_000

/** A question that only a client with the file can answer. */
export interface Challenge {
  readonly id: string
  readonly caller: string
  /** Of the file, in bytes. */
  readonly size: number
  readonly fingerprint: string
  /** Random bytes. */
  readonly nonce: Buffer
  /** Milliseconds, by the clock of the constructor. */
  readonly expiresAt: number
}

/** Open challenges: each can be answered once, by its caller, and not for long. */
export class Challenges {
  readonly lifetime = LIFETIME
  readonly #now: () => number
  /** In order of their creation. */
  readonly #open = new Map<string, Challenge>()
  /** The ids of the open challenges of each caller, in order of their creation. */
  readonly #byCaller = new Map<string, Set<string>>()

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** How many are open. */
  get open(): number {
    return this.#open.size
  }

  create(caller: string, size: number, fingerprint: string): Challenge {
    this.#dropExpired()
    const own = this.#byCaller.get(caller) ?? new Set()
    const [oldestOwn] = own
    if (own.size >= MAX_PER_CALLER) this.#drop(oldestOwn)
    const [oldest] = this.#open.keys()
    if (this.#open.size >= MAX_OPEN) this.#drop(oldest)
    const id = randomBytes(16).toString('hex')
    const expiresAt = this.#now() + LIFETIME
    const challenge = { id, caller, size, fingerprint, nonce: randomBytes(32), expiresAt }
    this.#open.set(id, challenge)
    // The set may have been dropped with its last challenge.
    this.#byCaller.set(caller, own.add(id))
    return challenge
  }

  /** Takes a challenge, which no longer exists afterwards. @returns `undefined` if the caller has no such challenge. */
  take(id: string, caller: string): Challenge | undefined {
    this.#dropExpired()
    const challenge = this.#open.get(id)
    if (challenge?.caller !== caller) return undefined
    this.#drop(id)
    return challenge
  }

  #dropExpired(): void {
    const now = this.#now()
    for (const [id, { expiresAt }] of this.#open) {
      if (expiresAt > now) return
      this.#drop(id)
    }
  }

  #drop(id: string | undefined): void {
    const challenge = this.#open.get(id ?? '')
    if (challenge === undefined) return
    this.#open.delete(challenge.id)
    const own = this.#byCaller.get(challenge.caller)
    own?.delete(challenge.id)
    if (own?.size === 0) this.#byCaller.delete(challenge.caller)
  }
}
