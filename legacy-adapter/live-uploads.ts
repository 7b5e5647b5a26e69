import { KeyedQueue } from '../server/core/keyed-queue.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { QUIET_AFTER } from './which-upload.ts'

/** Maximum unfinished uploads of one name to examine: the most recently fed. */
const MOST_EXAMINED = 8
/** For how many names and tasks settled uploads are cached, and how many per name: the newest. */
const MOST_CACHED = 10_000
const MOST_SETTLED_PER_NAME = 16
/** Maximum cached names of looked-up tasks, unless a single task has more. */
const MOST_CACHED_NAMES = 100_000
/** The index grows by at least this many uploads before it looks for expired ones. */
const SWEEP_AFTER_ADDED = 1_000

interface Activity {
  fed: number
  inFlight: number
  lastFailed: boolean
}

/** The finished and failed uploads of a name. */
interface Settled {
  /** The newest, in ascending order. */
  readonly ids: readonly string[]
  /** Whether only older ones are missing. */
  readonly isAll: boolean
}

const UNKNOWN: Settled = { ids: [], isAll: false }

/** The ids of all uploads, of every owner. */
export type UploadIds = Pick<Uploads, 'group' | 'isShared' | 'newest' | 'unfinishedIds'>

/**
 * An index of the unfinished WebUploader uploads, by task and by name, with their requests in flight. It is built from
 * the names in the data directory; it cannot open an upload. The digest of a task includes its owner, so whoever asks
 * for a task gets ids of no other owner.
 */
export class LiveUploads {
  readonly #uploads: UploadIds
  /** Looks up the settled uploads of one name at a time. */
  readonly #lookups = new KeyedQueue()
  readonly #files = new Map<string, Map<string, Activity>>()
  readonly #tasks = new Map<string, Set<string>>()
  readonly #settled = new Map<string, Settled>()
  /** By task: the names that had uploads when the task was first looked up. */
  readonly #taskNames = new Map<string, ReadonlySet<string>>()
  #loaded: Promise<void> | undefined
  #taskNameCount = 0
  #size = 0
  #sweepAbove = 0
  #lastFed = 0

  constructor(uploads: UploadIds) {
    this.#uploads = uploads
  }

  /** Waits until the names in the data directory are known. @throws UploadError `storage_error`. */
  ready(): Promise<void> {
    this.#loaded ??= this.#load().catch((error: unknown) => {
      this.#loaded = undefined
      throw error
    })
    return this.#loaded
  }

  /** The most recently fed unfinished uploads of a name. */
  of(file: string): readonly string[] {
    const live = this.#files.get(file)
    if (live === undefined) return []
    const ids = [...live.keys()]
    return ids.length <= MOST_EXAMINED ? ids : ids.sort((a, b) => this.fed(b) - this.fed(a)).slice(0, MOST_EXAMINED)
  }

  /** All unfinished uploads of a task. */
  ofTask(group: string): readonly string[] {
    return [...(this.#tasks.get(group) ?? [])].flatMap((file) => [...(this.#files.get(file)?.keys() ?? [])])
  }

  /** All uploads of a task, finished or not, without removed ones. @throws UploadError `storage_error`. */
  allOfTask(group: string): Promise<readonly string[]> {
    return this.#uploads.group(group)
  }

  isLive(id: string): boolean {
    return this.#get(id) !== undefined
  }

  /**
   * When the last request for the upload ended, in milliseconds since 1970; 0 if none has since the start. Only grows.
   */
  fed(id: string): number {
    return this.#get(id)?.fed ?? 0
  }

  inFlight(id: string): number {
    return this.#get(id)?.inFlight ?? 0
  }

  /** Whether no request is in flight, and the last one failed or is long over, or the service has just started. */
  isAtRest(id: string): boolean {
    const live = this.#get(id)
    return live === undefined || (live.inFlight === 0 && (live.lastFailed || now() - live.fed >= QUIET_AFTER))
  }

  /** Counts a request that begins to feed an unfinished upload. */
  begin(id: string): void {
    const live = this.#get(id) ?? this.#add(id)
    live.inFlight += 1
  }

  /** Counts the end of that request. */
  end(id: string, failed: boolean): void {
    const live = this.#get(id)
    if (live === undefined) return
    live.inFlight -= 1
    live.lastFailed = failed
    this.#lastFed = Math.max(this.#lastFed + 0.001, now())
    live.fed = this.#lastFed
  }

  /** Moves a finished or failed upload to the settled ones. */
  settle(id: string): void {
    this.drop(id)
    const file = fileOf(id)
    const { ids, isAll } = this.settled(file)
    this.setSettled(file, [...ids.filter((other) => other !== id), id], isAll)
  }

  /** Removes an upload from the index. */
  drop(id: string): void {
    const file = fileOf(id)
    const live = this.#files.get(file)
    if (live?.delete(id) !== true) return
    this.#size -= 1
    if (live.size > 0) return
    this.#files.delete(file)
    const files = this.#tasks.get(groupOf(id))
    files?.delete(file)
    if (files?.size === 0) this.#tasks.delete(groupOf(id))
  }

  /** The known settled uploads of a name. */
  settled(file: string): Settled {
    return this.#settled.get(file) ?? UNKNOWN
  }

  /** @param ids newest last. */
  setSettled(file: string, ids: readonly string[], isAll: boolean): void {
    this.#settled.delete(file)
    this.#settled.set(file, { ids: ids.slice(-MOST_SETTLED_PER_NAME), isAll })
    dropOldest(this.#settled)
  }

  /**
   * The uploads of a name that a complete can mean: the most recently fed unfinished ones, and the newest settled ones.
   * There may be thousands from before the start: none of them is opened. Where other nodes use the same uploads, the
   * storage is asked each time, for the newest of both kinds.
   *
   * @throws UploadError `storage_error`.
   */
  async ofName(file: string): Promise<readonly string[]> {
    if (this.#uploads.isShared) {
      const newest = await this.#uploads.newest(file, MOST_EXAMINED + MOST_SETTLED_PER_NAME)
      // One that has only begun is not in the storage yet.
      return [...new Set([...this.of(file), ...newest])]
    }
    if (!this.settled(file).isAll) await this.#lookups.run([file], () => this.#lookUpSettled(file))
    return [...this.of(file), ...this.settled(file).ids]
  }

  /** Prepares for a new upload of this name: if it is the first, all settled ones are known from now on. */
  async expect(group: string, file: string): Promise<void> {
    if (this.#uploads.isShared || this.#settled.has(file)) return
    const names =
      this.#taskNames.get(group) ?? this.#cacheNames(group, new Set((await this.#uploads.group(group)).map(fileOf)))
    this.setSettled(file, [], !names.has(file))
  }

  async #lookUpSettled(file: string): Promise<void> {
    if (this.settled(file).isAll) return
    const { ids: known } = this.settled(file)
    const live = this.#files.get(file)
    const most = MOST_SETTLED_PER_NAME + known.length + (live?.size ?? 0)
    const ids = (await this.#uploads.newest(file, most)).filter((id) => !this.isLive(id) && !known.includes(id))
    const newer = this.settled(file).ids.filter((id) => !ids.includes(id))
    const all = [...ids, ...newer]
    // Requests for unknown names must not evict what is cached of others.
    if (all.length > 0 || this.of(file).length > 0) this.setSettled(file, all, true)
  }

  #cacheNames(group: string, names: ReadonlySet<string>): ReadonlySet<string> {
    this.#taskNameCount += names.size - (this.#taskNames.get(group)?.size ?? 0)
    this.#taskNames.set(group, names)
    for (const [oldest, { size }] of this.#taskNames) {
      if (oldest === group || (this.#taskNameCount <= MOST_CACHED_NAMES && this.#taskNames.size <= MOST_CACHED)) break
      this.#taskNames.delete(oldest)
      this.#taskNameCount -= size
    }
    return names
  }

  #get(id: string): Activity | undefined {
    return this.#files.get(fileOf(id))?.get(id)
  }

  #add(id: string): Activity {
    const file = fileOf(id)
    const group = groupOf(id)
    const live: Activity = { fed: 0, inFlight: 0, lastFailed: true }
    const others = this.#files.get(file) ?? new Map<string, Activity>()
    this.#files.set(file, others.set(id, live))
    this.#tasks.set(group, (this.#tasks.get(group) ?? new Set()).add(file))
    this.#size += 1
    if (this.#size > this.#sweepAbove) this.#sweep()
    return live
  }

  async #load(): Promise<void> {
    for await (const id of this.#uploads.unfinishedIds()) {
      if (isOfPage(id) && !this.isLive(id)) this.#add(id)
    }
    this.#sweepAbove = 2 * this.#size + SWEEP_AFTER_ADDED
  }

  /** No event reports uploads that expire or are deleted: the index looks for them whenever it has doubled. */
  #sweep(): void {
    this.#sweepAbove = Number.POSITIVE_INFINITY
    this.#dropGone()
      .catch(() => undefined)
      .finally(() => {
        this.#sweepAbove = 2 * this.#size + SWEEP_AFTER_ADDED
      })
  }

  async #dropGone(): Promise<void> {
    const begun = now()
    const unfinished = new Set<string>()
    for await (const id of this.#uploads.unfinishedIds()) unfinished.add(id)
    for (const live of this.#files.values()) {
      for (const [id, { inFlight, fed }] of live) {
        if (inFlight === 0 && fed < begun && !unfinished.has(id)) this.drop(id)
      }
    }
  }
}

/** Milliseconds since 1970, by a monotonic clock. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Drops the oldest entry of a map that is too large. */
function dropOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (map.size > MOST_CACHED && oldest !== undefined) map.delete(oldest)
}

function fileOf(id: string): string {
  return id.slice(0, id.lastIndexOf('.'))
}

function groupOf(id: string): string {
  return id.slice(0, id.indexOf('.'))
}

/** Whether an id consists of task, name, and sender. */
function isOfPage(id: string): boolean {
  return id.split('.').length === 3
}
