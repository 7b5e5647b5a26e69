/**
 * Schedules work that blocks the process for milliseconds: one piece per iteration of the event loop, clients in turn.
 * Hundreds of such requests delay neither other requests nor other clients.
 */
export class LoopTurns {
  /** Waiting work by client. */
  readonly #waiting = new Map<string, (() => void)[]>()

  /** Resolves when the client may start its work. */
  take(client: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.size === 0) setImmediate(() => this.#beginNext())
      const queue = this.#waiting.get(client)
      if (queue === undefined) this.#waiting.set(client, [resolve])
      else queue.push(resolve)
    })
  }

  #beginNext(): void {
    const [next] = this.#waiting
    if (next === undefined) return
    const [client, queue] = next
    const begin = queue.shift()
    // Behind all other clients.
    this.#waiting.delete(client)
    if (queue.length > 0) this.#waiting.set(client, queue)
    if (this.#waiting.size > 0) setImmediate(() => this.#beginNext())
    begin?.()
  }
}
