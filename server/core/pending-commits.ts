/** The commits of one stream that have begun. All are awaited, also after a failure: what landed counts. */
export class PendingCommits {
  readonly #most: number
  readonly #pending = new Set<Promise<void>>()
  #hadAny = false
  #failure: { readonly error: unknown } | undefined

  /** @param most how many may be pending. */
  constructor(most: number) {
    this.#most = most
  }

  /** Whether any commit has begun. */
  get hadAny(): boolean {
    return this.#hadAny
  }

  /**
   * Adds one that has begun, and waits until fewer than `most` are pending.
   *
   * @throws the error of the first that failed, so the stream ends.
   */
  async add(commit: Promise<void>): Promise<void> {
    this.#hadAny = true
    const over: Promise<void> = this.#outcome(commit).then(() => {
      this.#pending.delete(over)
    })
    this.#pending.add(over)
    while (this.#pending.size >= this.#most) await Promise.race(this.#pending)
    this.#check()
  }

  /** Calls `work` once those that have begun are over, at once if they are. */
  afterThose(work: () => void): void {
    if (this.#pending.size === 0) work()
    else void Promise.all(this.#pending).then(work)
  }

  /** Waits for all of them. @throws the error of the first that failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending)
    this.#check()
  }

  async #outcome(commit: Promise<void>): Promise<void> {
    try {
      await commit
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
