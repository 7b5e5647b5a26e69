import { type Charge, unfinishedBytesOf } from './charge.ts'
import { Sums } from './sums.ts'

interface CountedUpload {
  readonly id: string
  readonly account: string | undefined
}

/**
 * Counts all uploads again while they change. Each is counted once, and from then on its changes are. A change before
 * that is not: the count finds its result.
 */
export class Recount {
  readonly #partitionOf: (id: string) => string
  readonly #unsettled: ReadonlySet<string>
  readonly #onComplete: (sums: Sums) => void
  readonly #sums = new Sums()
  /** Partitions that are not listed yet; `undefined` until their names are known. */
  #pending: Set<string> | undefined
  /** The partition that is being listed. */
  #listing: string | undefined
  /** Uploads that have changed, or were being created or removed, during a listing, which may lack them. */
  #changed: Set<string>
  /** Uploads of the listed partition that are not counted yet. */
  #awaited = new Set<string>()
  /** Those that have changed while they were read. */
  readonly #disturbed = new Set<string>()

  constructor(partitionOf: (id: string) => string, unsettled: ReadonlySet<string>, onComplete: (sums: Sums) => void) {
    this.#partitionOf = partitionOf
    this.#unsettled = unsettled
    this.#onComplete = onComplete
    this.#changed = new Set(unsettled)
  }

  /** @param names all partitions, listed since this object exists. @returns those to list. */
  partitions(names: readonly string[]): readonly string[] {
    const missed = [...this.#changed].map(this.#partitionOf)
    this.#pending = new Set([...names, ...missed])
    this.#changed = new Set()
    return [...this.#pending]
  }

  /** Lists a partition by `list`. @returns the uploads to count. */
  async open(partition: string, list: (partition: string) => Promise<readonly string[]>): Promise<readonly string[]> {
    this.#listing = partition
    // Now, because they may end after the list has been read; those that begin from now on are changes.
    const unsettled = [...this.#unsettled].filter((id) => this.#partitionOf(id) === partition)
    const ids = await list(partition)
    this.#awaited = new Set([...ids, ...this.#changed, ...unsettled])
    this.#changed = new Set()
    this.#listing = undefined
    this.#pending?.delete(partition)
    return [...this.#awaited]
  }

  /** Call this before an upload is read. */
  look(id: string): void {
    this.#disturbed.delete(id)
  }

  /** Counts an upload. @returns false if it has changed since `look`: it must be read again. */
  count(id: string, account: string | undefined, charge: Charge): boolean {
    if (this.#disturbed.has(id)) return false
    this.#awaited.delete(id)
    this.#sums.add(account, charge, unfinishedBytesOf(charge))
    return true
  }

  /** Notes a change of an upload. */
  note({ id, account }: CountedUpload, change: Charge, unfinishedBytes: number): void {
    const partition = this.#partitionOf(id)
    if (this.#pending === undefined || partition === this.#listing) this.#changed.add(id)
    else if (this.#awaited.has(id)) this.#disturbed.add(id)
    else if (!this.#pending.has(partition)) this.#sums.add(account, change, unfinishedBytes)
  }

  /** Call this after the last upload. */
  complete(): void {
    this.#onComplete(this.#sums)
  }
}
