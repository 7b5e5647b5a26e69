import type { Claims } from './claims.ts'
import type { Store } from './store.ts'

/** What is remembered of uploads that were deleted or have expired. */
export class GoneUploads {
  readonly #store: Store
  readonly #claims: Claims
  /** How many searches there were. */
  #searches = 0

  constructor(store: Store, claims: Claims) {
    this.#store = store
    this.#claims = claims
  }

  /**
   * Looks for an upload among several ids of one group. Until `found` is called, or the work is over, none of the group's
   * uploads that are gone is forgotten.
   *
   * @throws what `work` throws.
   */
  async search<T>(group: string, work: (found: () => void) => Promise<T>): Promise<T> {
    const place = this.#searches++
    // Each has a place of its own, so that searches share the group, and `forget` has it alone.
    const want = [{ start: place, end: place + 1 }]
    const claim = await this.#claims.whole(nameFor(group), () => want, NEVER)
    try {
      return await work(claim.release)
    } finally {
      claim.release()
    }
  }

  /**
   * Forgets uploads that were gone before `deadline`, as long as `mayGoOn`.
   *
   * Where an upload that is gone makes place for a next generation, the lowest that is not gone is the one in use, and every
   * chunk of a file must find the same. So none is forgotten while a generation of the same file is there, or while anybody
   * looks for one: a lower generation that is suddenly free would get some of the chunks. When there is none, the file may
   * begin again at the lowest that is free. Its old URL means this file again then, which is the same by all that tells files
   * apart; the time in the entity tag tells its bytes apart.
   *
   * @returns how many.
   */
  async forget(deadline: Date, mayGoOn: () => boolean): Promise<number> {
    let forgotten = 0
    for (const [group, ids] of byGroup(await this.#store.gone(deadline))) {
      if (!mayGoOn()) break
      forgotten += await this.#forgetOf(group, ids)
    }
    return forgotten
  }

  async #forgetOf(group: string, ids: readonly string[]): Promise<number> {
    const claim = this.#claims.tryExclusive(nameFor(group))
    // The next round comes by again.
    if (claim === undefined) return 0
    try {
      const there = new Set((await this.#store.group(group)).map(fileOf))
      const free = ids.filter((id) => !there.has(fileOf(id)))
      for (const id of free) await this.#store.forget(id)
      return free.length
    } finally {
      claim.release()
    }
  }
}

const NEVER = new AbortController().signal

/** The name under which searches in a group claim: not the id of any upload. */
function nameFor(group: string): string {
  return `search/${group}`
}

/** Ids of generations of one file differ behind the last dot only. */
function fileOf(id: string): string {
  return id.slice(0, id.lastIndexOf('.') + 1) || id
}

/** Those that are in no group are together under the empty name. */
function byGroup(ids: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const id of ids) {
    const group = id.slice(0, Math.max(id.indexOf('.'), 0))
    const known = groups.get(group)
    if (known === undefined) groups.set(group, [id])
    else known.push(id)
  }
  return groups
}
