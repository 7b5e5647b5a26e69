import type { Pauses } from '../../server/s3/retrying-port.ts'

/** Time that passes only in pauses, at once. */
export class SkippedTime implements Pauses {
  readonly slept: number[] = []
  /** What `random` returns. */
  chance = 1
  #now = 0

  now(): number {
    return this.#now
  }

  async sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds)
    this.#now += milliseconds
  }

  random(): number {
    return this.chance
  }
}
