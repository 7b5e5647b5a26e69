import type { ChosenFile } from '../files/chosen-file.ts'
import type { Text } from '../i18n/text.ts'
import { KeptRows } from './kept-rows.ts'
import type { Context } from './options.ts'
import { Placement, type PlacementEvents } from './placement.ts'
import { Recall } from './recall.ts'
import { scopeOf } from './remembered.ts'
import type { UploadItem } from './upload-item.ts'
import { type QueueEvents, UploadQueue } from './upload-queue.ts'

/** How many files are added before the page is drawn again. */
const ADD_AT_ONCE = 500

/** Callbacks of the list to its view. */
export type ListEvents = QueueEvents & PlacementEvents

/** The files of an element in order, of which some upload at the same time. */
export class UploadList {
  readonly #context: Context
  readonly #events: ListEvents
  readonly #left: AbortSignal
  readonly #kept: KeptRows
  readonly #queue: UploadQueue
  readonly #placement: Placement
  readonly #recall: Recall
  #ready: Promise<void> = Promise.resolve()

  /** Starts with the rows that the browser remembers, as soon as `sessionChanged` was called. */
  constructor(context: Context, events: ListEvents, left: AbortSignal) {
    this.#context = context
    this.#events = events
    this.#left = left
    this.#kept = new KeptRows(context.options, left)
    this.#queue = new UploadQueue(context, this.#kept, events, left)
    this.#placement = new Placement(context, this.#queue, this.#kept, events)
    this.#recall = new Recall(context, this.#queue, this.#kept, (chosen) => this.#placement.begin(chosen), left)
    left.addEventListener('abort', () => {
      for (const item of this.items) item.leave()
    })
  }

  get items(): readonly UploadItem[] {
    return this.#queue.items
  }

  /** Adds chosen files. A file that belongs to an unfinished row resumes there. */
  async add(files: readonly ChosenFile[]): Promise<void> {
    await this.#context.service.visitor.known()
    await this.#ready
    const scope = this.#kept.scope
    for (const [i, chosen] of files.entries()) {
      if (scope === undefined || scope !== this.#kept.scope || this.#left.aborted) return
      if (i % ADD_AT_ONCE === ADD_AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve))
      const alike = this.#queue.alike(chosen)
      if (alike.length === 0) {
        if (!this.#placement.begin(chosen)) return
      } else await this.#placement.place(chosen, alike, scope)
    }
  }

  /** Queues an item. If its file is known by a handle only, opens that. */
  async resume(item: UploadItem): Promise<void> {
    if (item.file !== null || item.handle === null) return item.queue()
    await this.#recall.open(item, item.handle)
  }

  /** Resumes everything that can: paused and failed items, and those whose file the browser may open again. */
  async resumeAll(): Promise<void> {
    for (const item of [...this.items]) {
      const isIdle = item.state === 'paused' || item.state === 'failed' || item.state === 'remembered'
      if (isIdle && !item.refused) await this.resume(item)
    }
  }

  /** Pauses what uploads or waits. */
  pauseAll(): void {
    // A file that ends would start the next one.
    for (const item of [...this.#queue.waiting]) item.pause()
    for (const item of [...this.#queue.active]) item.pause()
  }

  /** Tries everything again that has failed, and may succeed. */
  retryAll(): void {
    for (const item of [...this.items]) if (item.state === 'failed' && !item.refused) item.queue()
  }

  /** Takes an item off the list and stops it, for `restore` or `UploadItem.remove`. */
  withhold(item: UploadItem): void {
    item.pause()
    this.#queue.drop(item)
    this.#kept.forget(item)
    this.#queue.startNext()
  }

  /** Returns a withheld item to its place; with a problem, it stays as it is. */
  restore(item: UploadItem, place: number, problem: Text | null): void {
    this.#queue.insert(item, Math.min(place, this.items.length))
    if (problem !== null) item.stay(problem)
    this.#kept.save(item)
    this.#queue.startNext()
  }

  /** Shows an item again that something else has changed. */
  changed(item: UploadItem): void {
    this.#events.changed(item)
  }

  /** Removes an item from this browser, but not from the server. */
  forget(item: UploadItem): void {
    item.forget()
    this.#queue.remove(item)
  }

  /** The same for several items. */
  forgetAll(items: readonly UploadItem[]): void {
    for (const item of [...items]) this.forget(item)
  }

  /** Removes finished files from the list, but not from the server. */
  clearFinished(): void {
    this.forgetAll(this.items.filter(({ state }) => state === 'finished'))
  }

  /** Shows the rows of the visitor; a visitor who signs in again keeps them. */
  sessionChanged(): void {
    const { service } = this.#context
    const { session } = service.visitor
    if (session === null) return
    const scope = scopeOf(service.endpoint, session.owner)
    if (session.signedIn && scope !== this.#kept.scope) {
      this.#kept.scope = scope
      for (const item of [...this.items]) {
        item.leave()
        this.#queue.drop(item)
      }
      this.#ready = this.#context.options.resumes ? this.#recall.show(scope) : Promise.resolve()
    }
    for (const item of this.#queue.active) this.#events.changed(item)
    this.#queue.startNext()
  }

  /** Starts the next files, for instance when the service is back, or more may upload at the same time. */
  proceed(): void {
    for (const item of this.#queue.active) if (item.phase === 'retrying') this.#events.changed(item)
    this.#queue.startNext()
  }
}
