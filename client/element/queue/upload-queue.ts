import type { ChosenFile } from '../files/chosen-file.ts'
import type { KeptRows } from './kept-rows.ts'
import type { Context } from './options.ts'
import { randomId } from './random-id.ts'
import { type Origin, UploadItem } from './upload-item.ts'

/** Callbacks for items that come, change, and go. */
export interface QueueEvents {
  added(item: UploadItem): void
  changed(item: UploadItem): void
  removed(item: UploadItem): void
}

/** The items of a list in order. Starts the next ones while fewer than the permitted number upload. */
export class UploadQueue {
  readonly #items: UploadItem[] = []
  /** Items by what a file shows without being read. */
  readonly #byShape = new Map<string, Set<UploadItem>>()
  readonly #waiting = new Set<UploadItem>()
  readonly #active = new Set<UploadItem>()
  readonly #context: Context
  readonly #kept: KeptRows
  readonly #events: QueueEvents
  readonly #left: AbortSignal

  constructor(context: Context, kept: KeptRows, events: QueueEvents, left: AbortSignal) {
    this.#context = context
    this.#kept = kept
    this.#events = events
    this.#left = left
  }

  get items(): readonly UploadItem[] {
    return this.#items
  }

  /** Items that wait for their turn. */
  get waiting(): ReadonlySet<UploadItem> {
    return this.#waiting
  }

  /** Items that upload, but not those of which the server has every byte. */
  get active(): ReadonlySet<UploadItem> {
    return this.#active
  }

  /** Unfinished items that a file may belong to, by what it shows without being read. */
  alike({ file, path }: ChosenFile): UploadItem[] {
    const found = [...(this.#byShape.get(shapeOf(file)) ?? [])]
    return found.filter((item) => item.state !== 'finished' && (item.path === path || item.path === '' || path === ''))
  }

  /** Adds an item at the end. */
  append(origin: Origin, id = randomId()): UploadItem {
    const item = new UploadItem(id, origin, this.#context, (changed) => this.changed(changed))
    this.insert(item, this.#items.length)
    this.#kept.save(item)
    this.startNext()
    return item
  }

  /** Adds an item at a place, but does not keep its row. */
  insert(item: UploadItem, place: number): void {
    this.#items.splice(place, 0, item)
    const shape = shapeOf(item)
    const alike = this.#byShape.get(shape) ?? new Set()
    this.#byShape.set(shape, alike.add(item))
    this.#count(item)
    this.#events.added(item)
  }

  /** Stops an item, and takes it and its row off the list. */
  remove(item: UploadItem): void {
    if (!this.drop(item)) return
    item.leave()
    this.#kept.forget(item)
    this.startNext()
  }

  /** Takes an item off the list; its stored row stays. Returns whether it was there. */
  drop(item: UploadItem): boolean {
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

  /** Notes that an item has changed, unless it has been taken off. */
  changed(item: UploadItem): void {
    if (!this.#items.includes(item)) return
    this.#count(item)
    this.#events.changed(item)
    this.#kept.save(item)
    this.startNext()
  }

  /** Starts the next item, if it may begin now. */
  startNext(): void {
    const { presence, visitor } = this.#context.service
    if (presence.isAway || visitor.isSignedOut || this.#left.aborted) return
    if (this.#active.size >= this.#context.options.parallel) return
    const [next] = this.#waiting
    next?.start()
  }

  #count(item: UploadItem): void {
    const { state, phase } = item
    if (state === 'waiting') this.#waiting.add(item)
    else this.#waiting.delete(item)
    if (state === 'uploading' && phase !== 'scanning') this.#active.add(item)
    else this.#active.delete(item)
  }
}

function shapeOf({ name, size }: { readonly name: string; readonly size: number }): string {
  return `${size} ${name}`
}
