/** How long an account counts as active after a request, in milliseconds. */
const ACTIVE_FOR = 2_000

interface Trace {
  readonly account: string | undefined
  readonly at: number
}

/** Remembers the two accounts that have uploaded last: enough to know whether one is alone. */
export class Activity {
  readonly #now: () => number
  #latest: Trace = { account: undefined, at: Number.NEGATIVE_INFINITY }
  #other: Trace = this.#latest

  /** @param now monotonic time, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  note(account: string | undefined): void {
    if (account !== this.#latest.account) this.#other = this.#latest
    this.#latest = { account, at: this.#now() }
  }

  /** Whether another account has been active recently. */
  isShared(account: string): boolean {
    const other = this.#latest.account === account ? this.#other : this.#latest
    return this.#now() - other.at < ACTIVE_FOR
  }
}
