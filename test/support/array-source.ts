import type { Source } from '../../server/core/source.ts'

/** A source of bytes in memory: one batch per `read`, then the end or `failure`. */
export class ArraySource implements Source {
  readonly waitingSince = undefined
  readonly #batches: (readonly Buffer[])[]
  readonly #failure: Error | undefined
  #cancelled: Error | undefined
  /** How many bytes were read so far. */
  taken = 0

  constructor(batches: readonly (readonly Buffer[])[], failure?: Error) {
    this.#batches = [...batches]
    this.#failure = failure
  }

  /** Each buffer as a separate batch. */
  static of(...buffers: readonly Buffer[]): ArraySource {
    return new ArraySource(buffers.map((buffer) => [buffer]))
  }

  async read(): Promise<readonly Buffer[] | null> {
    if (this.#cancelled !== undefined) throw this.#cancelled
    const batch = this.#batches.shift()
    if (batch === undefined && this.#failure !== undefined) throw this.#failure
    for (const bytes of batch ?? []) this.taken += bytes.length
    return batch ?? null
  }

  cancel(reason: Error): void {
    this.#cancelled = reason
  }
}

/** The same bytes in buffers that are overwritten at the next `read`, like those of a request body. */
export class LendingSource implements Source {
  readonly #source: Source
  #lent: readonly Buffer[] = []

  constructor(source: Source) {
    this.#source = source
  }

  get waitingSince(): number | undefined {
    return this.#source.waitingSince
  }

  async read(): Promise<readonly Buffer[] | null> {
    for (const bytes of this.#lent) bytes.fill('?')
    const batch = await this.#source.read()
    this.#lent = (batch ?? []).map((bytes) => Buffer.from(bytes))
    return batch && this.#lent
  }

  cancel(reason: Error): void {
    this.#source.cancel(reason)
  }
}

/** `bytes` cut at the given places. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end))
}
