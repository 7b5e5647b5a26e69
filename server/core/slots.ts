/** Limits how many tasks run at once; a limited number of others waits, in order of arrival. */
export class Slots {
  readonly #max: number
  readonly #maxWaiting: number
  readonly #waiting = new Set<() => void>()
  #taken = 0

  /**
   * @param max how many tasks run at once; `Infinity` for no limit.
   * @param maxWaiting how many others wait.
   */
  constructor(max: number, maxWaiting: number = Number.POSITIVE_INFINITY) {
    this.#max = max
    this.#maxWaiting = maxWaiting
  }

  /** Whether no task runs; then none waits, either. */
  get isUnused(): boolean {
    return this.#taken === 0
  }

  /**
   * Takes a slot, or waits for one.
   *
   * @param signal ends the wait.
   * @returns a function that returns the slot; further calls do nothing.
   * @throws the reason of `signal`, and Error if too many tasks are waiting.
   */
  async enter(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    const leave = this.tryEnter()
    if (leave !== undefined) return leave
    await this.#wait(signal)
    return this.#leave()
  }

  /** Takes a slot if one is free. @returns like `enter`, or `undefined`. */
  tryEnter(): (() => void) | undefined {
    if (this.#taken >= this.#max) return undefined
    this.#taken += 1
    return this.#leave()
  }

  #leave(): () => void {
    let hasLeft = false
    return () => {
      if (hasLeft) return
      hasLeft = true
      this.#passOn()
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.#maxWaiting) throw new Error('Too many tasks are waiting.')
    return new Promise((resolve, reject) => {
      const withdraw = (): void => {
        this.#waiting.delete(begin)
        reject(signal?.reason)
      }
      const begin = (): void => {
        this.#waiting.delete(begin)
        signal?.removeEventListener('abort', withdraw)
        resolve()
      }
      this.#waiting.add(begin)
      signal?.addEventListener('abort', withdraw, { once: true })
    })
  }

  /** Gives a slot to the task that has waited longest. */
  #passOn(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#taken -= 1
    else next()
  }
}

/** Slots for each key, which no other key can take. */
export class KeyedSlots {
  readonly #max: number
  readonly #maxWaiting: number | undefined
  /** Only of keys with running tasks. */
  readonly #byKey = new Map<string, Slots>()

  /** Both limits are per key: see `Slots`. */
  constructor(max: number, maxWaiting?: number) {
    this.#max = max
    this.#maxWaiting = maxWaiting
  }

  /** Takes a slot of `key`, like `Slots.enter`. */
  async enter(key: string, signal?: AbortSignal): Promise<() => void> {
    const slots = this.#slotsOf(key)
    try {
      const leave = await slots.enter(signal)
      return () => {
        leave()
        this.#forget(key, slots)
      }
    } catch (error) {
      this.#forget(key, slots)
      throw error
    }
  }

  /** Takes a slot of `key` if one is free, like `Slots.tryEnter`. */
  tryEnter(key: string): (() => void) | undefined {
    const slots = this.#slotsOf(key)
    const leave = slots.tryEnter()
    return (
      leave &&
      (() => {
        leave()
        this.#forget(key, slots)
      })
    )
  }

  #slotsOf(key: string): Slots {
    const slots = this.#byKey.get(key) ?? new Slots(this.#max, this.#maxWaiting)
    this.#byKey.set(key, slots)
    return slots
  }

  #forget(key: string, slots: Slots): void {
    if (slots.isUnused && this.#byKey.get(key) === slots) this.#byKey.delete(key)
  }
}
