import type { Context } from './options.ts'
import { forget } from './remembered.ts'
import type { UploadItem } from './upload-item.ts'
import type { UploadList } from './upload-list.ts'

/** How long a removal can be undone, in milliseconds. */
const UNDO_WITHIN = 10_000

/** Items that were removed together. */
export interface Removal {
  readonly items: readonly UploadItem[]
  /** Whether they were finished. */
  readonly isDeletion: boolean
}

interface Withheld {
  readonly item: UploadItem
  readonly place: number
  readonly wasRunning: boolean
}

/** Cancels and deletes uploads after a while: until then, their user can undo it. */
export class Removals {
  readonly #list: UploadList
  readonly #context: Context
  readonly #changed: () => void
  #withheld: readonly Withheld[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `changed` is called when there is something to undo, and when there is no longer. */
  constructor(list: UploadList, context: Context, changed: () => void, left: AbortSignal) {
    this.#list = list
    this.#context = context
    this.#changed = changed
    // A page that is closed cannot wait.
    window.addEventListener('pagehide', () => this.settle(true), { signal: left })
    left.addEventListener('abort', () => this.settle())
  }

  /** What can be undone. */
  get removal(): Removal | null {
    const items = this.#withheld.map(({ item }) => item)
    return items.length === 0 ? null : { items, isDeletion: items.every(({ state }) => state === 'finished') }
  }

  /** Takes items off the list. An earlier removal can no longer be undone. */
  remove(items: readonly UploadItem[]): void {
    this.settle()
    const places = new Map(this.#list.items.map((item, place) => [item, place]))
    this.#withheld = items.map((item) => {
      const wasRunning = item.state === 'uploading' || item.state === 'waiting'
      return { item, place: places.get(item) ?? 0, wasRunning }
    })
    for (const item of items) this.#list.withhold(item)
    this.#timer = setTimeout(() => this.settle(), UNDO_WITHIN)
    this.#changed()
  }

  /** Returns the removed items to their places; those that were running continue. */
  undo(): void {
    const withheld = this.#take()
    for (const { item, place, wasRunning } of withheld) {
      this.#list.restore(item, place, null)
      if (wasRunning) item.queue()
    }
    this.#changed()
  }

  /** Deletes the removed items on the server, now. Items that it fails to delete return to the list. */
  settle(isLeaving = false): void {
    const withheld = this.#take()
    if (withheld.length === 0) return
    for (const { item, place } of withheld) void this.#delete(item, place, isLeaving)
    this.#changed()
  }

  async #delete(item: UploadItem, place: number, isLeaving: boolean): Promise<void> {
    const isDeletion = item.state === 'finished'
    try {
      await item.remove(isLeaving)
      item.leave()
    } catch {
      // On the server, the upload expires later.
      if (isLeaving) return item.url === null ? undefined : forget(item.url)
      this.#list.restore(item, place, { key: isDeletion ? 'problem.delete' : 'problem.cancel' })
      void this.#context.service.visitor.refresh()
    }
  }

  #take(): readonly Withheld[] {
    clearTimeout(this.#timer)
    const withheld = this.#withheld
    this.#withheld = []
    return withheld
  }
}
