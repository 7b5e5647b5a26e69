import { type Range, type Ranges, union } from '../core/ranges.ts'
import type { Environment } from './environment.ts'
import { parseName } from './names.ts'

/** An unfinished upload, as the names of its objects tell. */
export interface LiveEntry {
  readonly id: string
  /** The bytes that may count: at least those that do. */
  readonly received: Ranges
  /** When anything was last written, by the clock of this host. */
  readonly changedAt: Date
}

/**
 * All unfinished uploads whose ids begin with `startOfId`, in the order of their ids.
 *
 * @param withJoined also those that have been joined to others.
 */
export async function* liveEntries(
  { port, prefix, clock }: Environment,
  startOfId = '',
  withJoined = false,
): AsyncGenerator<LiveEntry> {
  const folder = `${prefix}live/`
  let entry: Collected | undefined
  for (let after: string | undefined; ; ) {
    const { objects, date, next } = await port.list(`${folder}${startOfId}`, { after })
    const ahead = clock.now() - date
    for (const { key, lastModified } of objects) {
      const [id = '', name = ''] = key.slice(folder.length).split('/')
      if (entry?.id !== id) {
        if (entry?.isListed(withJoined)) yield entry.value
        entry = new Collected(id)
      }
      entry.add(name, lastModified + ahead)
    }
    if (next === undefined) break
    after = next
  }
  if (entry?.isListed(withJoined)) yield entry.value
}

/** What has been listed of an upload. */
class Collected {
  readonly id: string
  readonly #ranges: Range[] = []
  #changedAt = 0
  #hasRecord = false
  #isJoined = false

  constructor(id: string) {
    this.id = id
  }

  /** Without its first record, only claims are left, or what a crash has left of a creation. */
  isListed(withJoined: boolean): boolean {
    return this.#hasRecord && (withJoined || !this.#isJoined)
  }

  get value(): LiveEntry {
    return { id: this.id, received: union(this.#ranges), changedAt: new Date(this.#changedAt) }
  }

  /** @param at milliseconds since 1970. */
  add(name: string, at: number): void {
    const parsed = parseName(name)
    if (parsed === undefined) return
    if (parsed.kind === 'joined') this.#isJoined = true
    if (parsed.kind === 'record' && parsed.term === 1 && parsed.sequence === 0) this.#hasRecord = true
    if (parsed.kind === 'piece') this.#ranges.push(parsed.piece)
    // Opening an upload brings it no bytes.
    if (parsed.kind === 'record' || parsed.kind === 'piece') this.#changedAt = Math.max(this.#changedAt, at)
  }
}
