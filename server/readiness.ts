/** How long an answer of the store counts, in milliseconds. */
const CHECK_AFTER = 5_000

/** Whether a balancer should send requests to this node, and whether it accepts them. */
export class Readiness {
  readonly #checkStore: (() => Promise<unknown>) | undefined
  #isLeaving = false
  #isStopping = false
  #isStoreReachable = true
  #isChecking = false
  #checkedAt = Number.NEGATIVE_INFINITY

  /** @param checkStore rejects if the store cannot be reached; without it, it always can. */
  constructor(checkStore?: () => Promise<unknown>) {
    this.#checkStore = checkStore
  }

  /** Whether new work is accepted. */
  get isAccepting(): boolean {
    return !this.#isStopping
  }

  /**
   * Why no new requests should come; `undefined` if they should. It is what is known: to ask begins a check of the
   * store, at most one every 5 s, so no caller waits for it.
   */
  get obstacle(): 'stopping' | 'storage unreachable' | undefined {
    if (this.#isLeaving || this.#isStopping) return 'stopping'
    this.#check()
    return this.#isStoreReachable ? undefined : 'storage unreachable'
  }

  /** The body of a response about it. */
  get text(): string {
    return `${this.obstacle ?? 'ready'}\n`
  }

  /** The service will stop soon. */
  leave(): void {
    this.#isLeaving = true
  }

  /** The service accepts no new work. */
  stop(): void {
    this.#isStopping = true
  }

  #check(): void {
    if (this.#checkStore === undefined || this.#isChecking) return
    if (performance.now() - this.#checkedAt < CHECK_AFTER) return
    this.#isChecking = true
    const settle = (isReachable: boolean): void => {
      this.#isStoreReachable = isReachable
      this.#isChecking = false
      this.#checkedAt = performance.now()
    }
    this.#checkStore().then(
      () => settle(true),
      () => settle(false),
    )
  }
}
