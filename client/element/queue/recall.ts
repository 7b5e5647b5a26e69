import type { ChosenFile } from '../files/chosen-file.ts'
import type { KeptRows } from './kept-rows.ts'
import type { Context } from './options.ts'
import { findRemembered, isRemembered, type Remembered } from './remembered.ts'
import type { StoredRow } from './stored-rows.ts'
import { hasLeft, knowsTabs, whenUnlocked } from './tabs.ts'
import type { Origin, UploadItem } from './upload-item.ts'
import type { UploadQueue } from './upload-queue.ts'

/** How long chosen files wait for remembered rows that they may belong to, in milliseconds. */
const RECALL_TIMEOUT = 500

/** Maximum finished files that are kept for a later visit. */
const MAX_KEPT = 1000

/** Returns the rows of earlier visits to the list, and opens their files again. */
export class Recall {
  readonly #context: Context
  readonly #queue: UploadQueue
  readonly #kept: KeptRows
  readonly #begin: (chosen: ChosenFile) => void
  readonly #left: AbortSignal

  /** `begin` starts a new upload of a file that turns out to belong to no row. */
  constructor(
    context: Context,
    queue: UploadQueue,
    kept: KeptRows,
    begin: (chosen: ChosenFile) => void,
    left: AbortSignal,
  ) {
    this.#context = context
    this.#queue = queue
    this.#kept = kept
    this.#begin = begin
    this.#left = left
  }

  /** Shows remembered rows. Those that another tab holds follow when it is closed. */
  async show(scope: string): Promise<void> {
    const stored = await this.#kept.stored.of(scope)
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

  /** Opens the file of a row, which continues with it in `state`. */
  async open(item: UploadItem, handle: FileSystemFileHandle, state?: 'waiting' | 'paused'): Promise<void> {
    const isAllowed = (await permissionOf(handle, true)) === 'granted'
    const file = isAllowed ? await handle.getFile().catch(() => null) : null
    if (item.file !== null || !this.#queue.items.includes(item)) return
    if (file !== null && file.size === item.size)
      item.lend(file, null, () => this.#begin({ file, path: item.path, handle }), state)
    // The file was changed, moved, or may not be opened.
    else if (isAllowed) item.handle = null
    this.#queue.changed(item)
  }

  /** Takes over the rows of an element that has left. */
  async #recallRows(owner: string, scope: string, located: ReadonlyMap<string, Remembered>): Promise<void> {
    if (owner === this.#kept.owner || !(await hasLeft(owner)) || scope !== this.#kept.scope || this.#left.aborted)
      return
    // Read again: the other element may have changed them until it left.
    const rows = (await this.#kept.stored.of(scope)).filter((row) => row.owner === owner)
    const finished = rows.filter((row) => row.state === 'finished')
    const surplus = new Set(finished.slice(0, Math.max(0, finished.length - MAX_KEPT)))
    for (const row of rows) {
      if (surplus.has(row)) this.#kept.stored.delete(row.id)
      else this.#recallOne({ row: { ...row, ...(row.url === null && pick(located.get(row.id))) } }, scope)
    }
  }

  #recallOne(origin: Origin, scope: string): void {
    const url = 'row' in origin ? origin.row.url : 'remembered' in origin ? origin.remembered.url : null
    const isPresent = url !== null && this.#queue.items.some((item) => item.url === url)
    if (isPresent || scope !== this.#kept.scope) return
    const item = this.#queue.append(origin, 'row' in origin ? origin.row.id : undefined)
    if (item.state === 'finished') return
    if ('row' in origin && item.handle !== null) void this.#reopen(item, item.handle, origin.row)
    else void this.#lookUp(item)
  }

  async #lookUp(item: UploadItem): Promise<void> {
    if (!(await item.lookUp())) this.#queue.remove(item)
  }

  /** Opens the file of a row, if its visitor need not be asked. */
  async #reopen(item: UploadItem, handle: FileSystemFileHandle, { state }: StoredRow): Promise<void> {
    const permission = await permissionOf(handle)
    if (state === 'paused' && !(await item.lookUp())) item.url = null
    if (permission === 'granted') await this.open(item, handle, state === 'paused' ? 'paused' : 'waiting')
    else {
      if (permission === null) item.handle = null
      await this.#lookUp(item)
    }
  }
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
