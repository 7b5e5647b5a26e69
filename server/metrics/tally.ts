import { Counter, Gauge, type Registry } from 'prom-client'

type Labels = Readonly<Record<string, string>>

/** A count, with its labels. */
export interface Count {
  readonly labels: Labels
  readonly value: number
}

/** Counts by labels, in plain numbers: a request costs one addition. */
export class Tally {
  readonly #counts = new Map<string, { readonly labels: Labels; value: number }>()

  /** @param known labels that are reported before anything was counted. */
  constructor(known: readonly Labels[] = []) {
    for (const labels of known) this.add(labels, 0)
  }

  add(labels: Labels, amount = 1): void {
    const key = Object.values(labels).join('\n')
    const count = this.#counts.get(key)
    if (count === undefined) this.#counts.set(key, { labels, value: amount })
    else count.value += amount
  }

  get counts(): Iterable<Count> {
    return this.#counts.values()
  }

  get total(): number {
    let total = 0
    for (const { value } of this.#counts.values()) total += value
    return total
  }
}

/** A metric as it is declared. */
export interface Declared {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
}

/** Declares a counter that is read when metrics are. */
export function counter(registry: Registry, declared: Declared, read: () => Iterable<Count>): void {
  new Counter({
    ...withLabels(declared),
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, value } of read()) this.inc(labels, value)
    },
  })
}

/** Declares a counter without labels. */
export function simpleCounter(registry: Registry, declared: Declared, read: () => number): void {
  counter(registry, declared, () => [{ labels: {}, value: read() }])
}

/** Declares a gauge that is read when metrics are; without a value, it is left out. */
export function gauge(
  registry: Registry,
  declared: Declared,
  read: () => number | undefined | Promise<number | undefined>,
): void {
  new Gauge({
    ...withLabels(declared),
    registers: [registry],
    async collect() {
      const value = await read()
      if (value === undefined || !Number.isFinite(value)) this.remove()
      else this.set(value)
    },
  })
}

function withLabels({ labelNames = [], ...declared }: Declared) {
  return { ...declared, labelNames: [...labelNames] }
}
