import type { ChosenFile } from '../files/chosen-file.ts'
import type { Text } from '../i18n/text.ts'
import { type Fingerprints, fingerprintsOf } from './fingerprint.ts'
import { limitsOf, refusalOf } from './limits.ts'
import type { Context } from './options.ts'
import { findRemembered, isRemembered, type Remembered, scopeOf } from './remembered.ts'
import { sameBytes } from './same-bytes.ts'
import { type StoredRow, StoredRows } from './stored-rows.ts'
import { hasLeft, holdRows, knowsTabs, whenUnlocked } from './tabs.ts'
import { type Origin, UploadItem } from './upload-item.ts'

/** How long chosen files wait for remembered rows that they may belong to, in milliseconds. */
const RECALL_TIMEOUT = 500

/** How many files are added before the page is drawn again. */
const ADD_AT_ONCE = 500

/** Maximum finished files that are kept for a later visit. */
const MAX_KEPT = 1000

/** Callbacks of the list to its view. */
export interface ListEvents {
  added(item: UploadItem): void
  changed(item: UploadItem): void
  removed(item: UploadItem): void
  /** A chosen file is already being uploaded. */
  alreadyPresent(item: UploadItem): void
  /** More files were chosen than the list takes. */
  tooMany(most: number): void
}

/** The files of an element in order, of which some upload at the same time. */
export class UploadList {
  readonly #items: UploadItem[] = []
  /** Items by what a file shows without being read. */
  readonly #byShape = new Map<string, Set<UploadItem>>()
  readonly #waiting = new Set<UploadItem>()
  readonly #active = new Set<UploadItem>()
  readonly #events: ListEvents
  readonly #context: Context
  readonly #rows = new StoredRows()
  /** What the stored rows say, so that progress writes nothing. */
  readonly #saved = new WeakMap<UploadItem, string>()
  readonly #owner = randomId()
  readonly #left: AbortSignal
  /** Whose rows these are; undefined before that is known. */
  #scope: string | undefined
  #ready: Promise<void> = Promise.resolve()

  /** Starts with the rows that the browser remembers, as soon as `sessionChanged` was called. */
  constructor(context: Context, events: ListEvents, left: AbortSignal) {
    this.#context = context
    this.#events = events
    this.#left = left
    holdRows(this.#owner, left)
    left.addEventListener('abort', () => {
      for (const item of this.#items) item.leave()
    })
  }

  get items(): readonly UploadItem[] {
    return this.#items
  }

  /** Adds chosen files. A file that belongs to an unfinished row resumes there. */
  async add(files: readonly ChosenFile[]): Promise<void> {
    await this.#context.service.visitor.known()
    await this.#ready
    const scope = this.#scope
    for (const [i, chosen] of files.entries()) {
      if (scope === undefined || scope !== this.#scope || this.#left.aborted) return
      if (i % ADD_AT_ONCE === ADD_AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve))
      const alike = this.#alike(chosen)
      if (alike.length === 0) {
        if (!this.#begin(chosen)) return
      } else await this.#addAlike(chosen, alike, scope)
    }
  }

  /** Queues an item. If its file is known by a handle only, opens that. */
  async resume(item: UploadItem): Promise<void> {
    if (item.file !== null || item.handle === null) return item.queue()
    await this.#open(item, item.handle)
  }

  /** Resumes everything that can: paused and failed items, and those whose file the browser may open again. */
  async resumeAll(): Promise<void> {
    for (const item of [...this.#items]) {
      const isIdle = item.state === 'paused' || item.state === 'failed' || item.state === 'remembered'
      if (isIdle && !item.refused) await this.resume(item)
    }
  }

  /** Pauses what uploads or waits. */
  pauseAll(): void {
    // A file that ends would start the next one.
    for (const item of [...this.#waiting]) item.pause()
    for (const item of [...this.#active]) item.pause()
  }

  /** Tries everything again that has failed, and may succeed. */
  retryAll(): void {
    for (const item of [...this.#items]) if (item.state === 'failed' && !item.refused) item.queue()
  }

  /** Takes an item off the list and stops it, for `restore` or `UploadItem.remove`. */
  withhold(item: UploadItem): void {
    item.pause()
    this.#drop(item)
    this.#unsave(item)
    this.#startNext()
  }

  /** Returns a withheld item to its place; with a problem, it stays as it is. */
  restore(item: UploadItem, place: number, problem: Text | null): void {
    this.#insert(item, Math.min(place, this.#items.length))
    if (problem !== null) item.stay(problem)
    this.#save(item)
    this.#startNext()
  }

  /** Shows an item again that something else has changed. */
  changed(item: UploadItem): void {
    this.#events.changed(item)
  }

  /** Removes an item from this browser, but not from the server. */
  forget(item: UploadItem): void {
    item.forget()
    this.#remove(item)
  }

  /** The same for several items. */
  forgetAll(items: readonly UploadItem[]): void {
    for (const item of [...items]) this.forget(item)
  }

  /** Removes finished files from the list, but not from the server. */
  clearFinished(): void {
    this.forgetAll(this.#items.filter(({ state }) => state === 'finished'))
  }

  /** Shows the rows of the visitor; a visitor who signs in again keeps them. */
  sessionChanged(): void {
    const { service } = this.#context
    const { session } = service.visitor
    if (session === null) return
    const scope = scopeOf(service.endpoint, session.owner)
    if (session.signedIn && scope !== this.#scope) {
      this.#scope = scope
      for (const item of [...this.#items]) {
        item.leave()
        this.#drop(item)
      }
      this.#ready = this.#context.options.resumes ? this.#recall(scope) : Promise.resolve()
    }
    for (const item of this.#active) this.#events.changed(item)
    this.#startNext()
  }

  /** Starts the next files, for instance when the service is back, or more may upload at the same time. */
  proceed(): void {
    for (const item of this.#active) if (item.phase === 'retrying') this.#events.changed(item)
    this.#startNext()
  }

  /** Shows remembered rows. Those that another tab holds follow when it is closed. */
  async #recall(scope: string): Promise<void> {
    const stored = await this.#rows.of(scope)
    const known = new Set(stored.map(({ url }) => url))
    // Where tabs do not know of each other, each can continue every upload.
    const loose = findRemembered(this.#context.service.endpoint, scope).filter(
      ({ url }) => !known.has(url) || !knowsTabs(),
    )
    const located = matched(stored, loose)
    const rows = [
      ...[...new Set(stored.map(({ owner }) => owner))].map((owner) => this.#recallRows(owner, scope, located)),
      ...loose
        .filter((remembered) => ![...located.values()].includes(remembered))
        .map(async (remembered) => {
          await whenUnlocked(remembered.url)
          if (isRemembered(remembered.url)) this.#recallOne({ remembered }, scope)
        }),
    ]
    await Promise.race([Promise.all(rows), new Promise((resolve) => setTimeout(resolve, RECALL_TIMEOUT))])
  }

  /** Takes over the rows of an element that has left. */
  async #recallRows(owner: string, scope: string, located: ReadonlyMap<string, Remembered>): Promise<void> {
    if (owner === this.#owner || !(await hasLeft(owner)) || scope !== this.#scope || this.#left.aborted) return
    // Read again: the other element may have changed them until it left.
    const rows = (await this.#rows.of(scope)).filter((row) => row.owner === owner)
    const finished = rows.filter((row) => row.state === 'finished')
    const surplus = new Set(finished.slice(0, Math.max(0, finished.length - MAX_KEPT)))
    for (const row of rows) {
      if (surplus.has(row)) this.#rows.delete(row.id)
      else this.#recallOne({ row: { ...row, ...(row.url === null && pick(located.get(row.id))) } }, scope)
    }
  }

  #recallOne(origin: Origin, scope: string): void {
    const url = 'row' in origin ? origin.row.url : 'remembered' in origin ? origin.remembered.url : null
    const isPresent = url !== null && this.#items.some((item) => item.url === url)
    if (isPresent || scope !== this.#scope) return
    const item = this.#append(origin, 'row' in origin ? origin.row.id : randomId())
    if (item.state === 'finished') return
    if ('row' in origin && item.handle !== null) void this.#reopen(item, item.handle, origin.row)
    else void this.#lookUp(item)
  }

  async #lookUp(item: UploadItem): Promise<void> {
    if (!(await item.lookUp())) this.#remove(item)
  }

  /** Opens the file of a row, if its visitor need not be asked. */
  async #reopen(item: UploadItem, handle: FileSystemFileHandle, { state }: StoredRow): Promise<void> {
    const permission = await permissionOf(handle)
    if (state === 'paused' && !(await item.lookUp())) item.url = null
    if (permission === 'granted') await this.#open(item, handle, state === 'paused' ? 'paused' : 'waiting')
    else {
      if (permission === null) item.handle = null
      await this.#lookUp(item)
    }
  }

  async #open(item: UploadItem, handle: FileSystemFileHandle, state?: 'waiting' | 'paused'): Promise<void> {
    const isAllowed = (await permissionOf(handle, true)) === 'granted'
    const file = isAllowed ? await handle.getFile().catch(() => null) : null
    if (item.file !== null || !this.#items.includes(item)) return
    if (file !== null && file.size === item.size)
      item.lend(file, null, () => this.#begin({ file, path: item.path, handle }), state)
    // The file was changed, moved, or may not be opened.
    else if (isAllowed) item.handle = null
    this.#itemChanged(item)
  }

  /** Unfinished items that a file may belong to, by what it shows without being read. */
  #alike({ file, path }: ChosenFile): UploadItem[] {
    const found = [...(this.#byShape.get(shapeOf(file)) ?? [])]
    return found.filter((item) => item.state !== 'finished' && (item.path === path || item.path === '' || path === ''))
  }

  async #addAlike(chosen: ChosenFile, alike: readonly UploadItem[], scope: string): Promise<void> {
    const fingerprints = await fingerprintsOf(chosen.file, scope).catch(() => null)
    for (const item of alike) {
      // The file of a row that was not sent yet has no fingerprint.
      if (item.fingerprint === null && item.file !== null) item.fingerprint = await fingerprintOf(item.file, scope)
    }
    if (scope !== this.#scope) return
    if (fingerprints === null) this.#append({ chosen, state: 'failed', problem: { key: 'problem.file' } })
    else void this.#place(chosen, fingerprints, alike)
  }

  /** Finds the row of a file. A row with its fingerprint is its row only if every byte is the same. */
  async #place(chosen: ChosenFile, { current, former }: Fingerprints, alike: readonly UploadItem[]): Promise<void> {
    const found = alike.filter(({ fingerprint, url }) =>
      fingerprint === null ? url !== null : fingerprint === current || fingerprint === former,
    )
    // A file that was never sent is as good as any of its name and size.
    const unsent = alike.find((item) => item.state === 'remembered' && item.url === null)
    const present = found.filter((item) => this.#items.includes(item))
    // Limits may have changed since a refusal.
    for (const item of present) if (item.refused) this.#remove(item)
    const candidates = present.filter((item) => !item.refused)
    const rivals = candidates.filter((item) => !item.lacksFile)
    const begin = (): void => {
      if (unsent !== undefined && unsent.state === 'remembered' && this.#items.includes(unsent)) {
        unsent.handle = chosen.handle
        unsent.lend(chosen.file, current, () => undefined)
      } else this.#begin(chosen)
    }
    if (rivals.length === 0) return this.#resumeOrBegin(chosen, current, candidates, begin)

    const row = this.#append({ chosen, state: 'comparing' })
    const same = await this.#findSame(row, chosen.file, rivals)
    if (row.state !== 'comparing' || !this.#items.includes(row)) return
    if (same !== undefined) {
      this.#remove(row)
      if (same.state === 'paused' || same.state === 'failed') same.queue()
      else this.#events.alreadyPresent(same)
    } else if (candidates.some((item) => item.lacksFile)) {
      this.#remove(row)
      this.#resumeOrBegin(chosen, current, candidates, begin)
    } else {
      row.queue()
    }
  }

  async #findSame(row: UploadItem, file: File, rivals: readonly UploadItem[]): Promise<UploadItem | undefined> {
    for (const rival of rivals) {
      if (rival.file === null) continue
      // A rival that is no longer readable fails in its own row.
      const same = await sameBytes(rival.file, file, (share) => row.compared(share)).catch(() => false)
      // A rival may have been cancelled meanwhile.
      if (same && this.#items.includes(rival)) return rival
    }
    return undefined
  }

  /** Tries to resume each upload in turn; if all belong to other files, starts a new one. */
  #resumeOrBegin(chosen: ChosenFile, fingerprint: string, alike: readonly UploadItem[], begin: () => void): void {
    const open = alike.filter((item) => item.lacksFile && item.url !== null && this.#items.includes(item))
    const [first, ...others] = open
    if (first === undefined) begin()
    else first.lend(chosen.file, fingerprint, () => this.#resumeOrBegin(chosen, fingerprint, others, begin))
  }

  /** Starts a new upload, unless the service would refuse it. Returns whether the list has room. */
  #begin(chosen: ChosenFile): boolean {
    const { options, service } = this.#context
    if (this.#items.length >= options.maxFiles) {
      this.#events.tooMany(options.maxFiles)
      return false
    }
    const limits = limitsOf(service.visitor.session?.limits ?? {}, options.limits)
    const problem = refusalOf(chosen.file, limits, limits.quota === undefined ? 0 : this.#plannedBytes())
    const state = options.isManual ? 'paused' : 'waiting'
    this.#append(problem === null ? { chosen, state } : { chosen, state: 'failed', problem })
    return true
  }

  /** The bytes of new files that are not on the server yet. */
  #plannedBytes(): number {
    const planned = this.#items.filter(
      ({ state, url }) => url === null && ['waiting', 'uploading', 'paused'].includes(state),
    )
    return planned.reduce((sum, { size }) => sum + size, 0)
  }

  #append(origin: Origin, id = randomId()): UploadItem {
    const item = new UploadItem(id, origin, this.#context, (changed) => this.#itemChanged(changed))
    this.#insert(item, this.#items.length)
    this.#save(item)
    this.#startNext()
    return item
  }

  #insert(item: UploadItem, place: number): void {
    this.#items.splice(place, 0, item)
    const shape = shapeOf(item)
    const alike = this.#byShape.get(shape) ?? new Set()
    this.#byShape.set(shape, alike.add(item))
    this.#count(item)
    this.#events.added(item)
  }

  #remove(item: UploadItem): void {
    if (!this.#drop(item)) return
    item.leave()
    this.#unsave(item)
    this.#startNext()
  }

  #unsave(item: UploadItem): void {
    this.#saved.delete(item)
    this.#rows.delete(item.id)
  }

  /** Takes an item off the list; its stored row stays. */
  #drop(item: UploadItem): boolean {
    const place = this.#items.indexOf(item)
    if (place < 0) return false
    this.#items.splice(place, 1)
    const alike = this.#byShape.get(shapeOf(item))
    alike?.delete(item)
    if (alike?.size === 0) this.#byShape.delete(shapeOf(item))
    this.#waiting.delete(item)
    this.#active.delete(item)
    this.#events.removed(item)
    return true
  }

  #itemChanged(item: UploadItem): void {
    if (!this.#items.includes(item)) return
    this.#count(item)
    this.#events.changed(item)
    this.#save(item)
    this.#startNext()
  }

  #count(item: UploadItem): void {
    const { state, phase } = item
    if (state === 'waiting') this.#waiting.add(item)
    else this.#waiting.delete(item)
    if (state === 'uploading' && phase !== 'scanning') this.#active.add(item)
    else this.#active.delete(item)
  }

  /** Keeps a row for a later visit. Refused files, and rows that only compare, are not kept. */
  #save(item: UploadItem): void {
    const { id, name, path, size, type, state, url, handle, added } = item
    if (!this.#context.options.resumes || this.#scope === undefined || state === 'comparing') return
    if (item.refused) {
      this.#unsave(item)
      return
    }
    const kept = state === 'finished' ? 'finished' : state === 'paused' ? 'paused' : 'queued'
    const now = `${kept} ${url}`
    if (this.#saved.get(item) === now) return
    this.#saved.set(item, now)
    const owner = this.#owner
    const [scope, fingerprint] = [this.#scope, item.fingerprint]
    this.#rows.put({ id, scope, owner, name, path, size, type, state: kept, url, fingerprint, handle, added })
  }

  #startNext(): void {
    const { presence, visitor } = this.#context.service
    if (presence.isAway || visitor.isSignedOut || this.#left.aborted) return
    if (this.#active.size >= this.#context.options.parallel) return
    const [next] = this.#waiting
    next?.start()
  }
}

function shapeOf({ name, size }: { readonly name: string; readonly size: number }): string {
  return `${size} ${name}`
}

/**
 * Uploads that were created a moment before the page was closed, by the id of the row that does not know of it.
 */
function matched(rows: readonly StoredRow[], loose: readonly Remembered[]): ReadonlyMap<string, Remembered> {
  const left = new Set(loose)
  const found = new Map<string, Remembered>()
  for (const row of rows.filter(({ url }) => url === null)) {
    for (const remembered of left) {
      const { name, path, size } = remembered
      if (name !== row.name || path !== row.path || size !== row.size || found.has(row.id)) continue
      left.delete(remembered)
      found.set(row.id, remembered)
    }
  }
  return found
}

function pick(remembered: Remembered | undefined): Pick<Remembered, 'url' | 'fingerprint'> | undefined {
  return remembered && { url: remembered.url, fingerprint: remembered.fingerprint }
}

async function fingerprintOf(file: File, scope: string): Promise<string | null> {
  return fingerprintsOf(file, scope).then(
    ({ current }) => current,
    () => null,
  )
}

/** Whether the browser may open a file; null if it cannot be opened any more. */
async function permissionOf(handle: FileSystemFileHandle, asks = false): Promise<PermissionState | null> {
  try {
    const { queryPermission, requestPermission } = handle
    // Files in the storage of the page itself need no permission.
    if (queryPermission === undefined || requestPermission === undefined) return 'granted'
    const permission = await queryPermission.call(handle, { mode: 'read' })
    return permission === 'prompt' && asks ? await requestPermission.call(handle, { mode: 'read' }) : permission
  } catch {
    return null
  }
}

/** `crypto.randomUUID` exists only in secure contexts. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
