import { findRemembered, fingerprintOf, isRemembered, type Remembered } from './remembered.ts'
import { endpoint, filesAtOnce } from './settings.ts'
import { whenFree } from './tabs.ts'
import { type Origin, UploadItem } from './upload-item.ts'

/** How long, in milliseconds, chosen files wait for remembered rows that they might belong to. */
const RECALL_PATIENCE = 500

/** What the list tells its view. */
export interface ListEvents {
  added(item: UploadItem): void
  changed(item: UploadItem): void
  removed(item: UploadItem): void
  /** A file was chosen that is already on its way. */
  alreadyPresent(item: UploadItem): void
}

/** The files of the page in their order, and whose turn it is. */
export class UploadList {
  readonly #items: UploadItem[] = []
  readonly #events: ListEvents
  readonly #ready: Promise<void>

  /** Begins with what the browser remembers from earlier visits. */
  constructor(events: ListEvents) {
    this.#events = events
    this.#ready = this.#recall()
    // A lost connection is nobody's fault: what stopped for it goes on by itself.
    window.addEventListener('online', () => {
      for (const item of this.#items) if (item.lostConnection) item.queue()
    })
  }

  get items(): readonly UploadItem[] {
    return this.#items
  }

  /** Takes in chosen files. A file that an unfinished row knows goes on in that row. */
  async add(files: readonly File[]): Promise<void> {
    await this.#ready
    for (const file of files) {
      const fingerprint = await fingerprintOf(file, endpoint)
      const present = this.#items.find((item) => item.fingerprint === fingerprint && item.state !== 'finished')
      if (present === undefined) this.#append({ file, fingerprint })
      else if (present.state === 'uploading' || present.state === 'waiting') this.#events.alreadyPresent(present)
      else present.takeFile(file)
    }
  }

  /** Cancels an upload; its row goes unless the server could not be told. Returns whether it went. */
  async cancel(item: UploadItem): Promise<boolean> {
    const gone = await item.cancel()
    if (gone) this.#remove(item)
    return gone
  }

  /** Drops a remembered upload from this browser. */
  async forget(item: UploadItem): Promise<void> {
    await item.forget()
    this.#remove(item)
  }

  /** Takes finished files off the list; they stay on the server. */
  clearFinished(): void {
    for (const item of [...this.#items]) if (item.state === 'finished') this.#remove(item)
  }

  /** Shows what is remembered, except what another tab is at work on: that follows when the tab lets it go. */
  async #recall(): Promise<void> {
    const rows = (await findRemembered(endpoint)).map((remembered) => this.#recallOne(remembered))
    const patience = new Promise((resolve) => setTimeout(resolve, RECALL_PATIENCE))
    await Promise.race([Promise.all(rows), patience])
  }

  async #recallOne(remembered: Remembered): Promise<void> {
    await whenFree(remembered.url)
    const present = this.#items.some((item) => item.url === remembered.url)
    if (!present && (await isRemembered(remembered.url))) void this.#lookUp(this.#append(remembered))
  }

  async #lookUp(item: UploadItem): Promise<void> {
    if (!(await item.lookUp())) this.#remove(item)
  }

  #append(origin: Origin): UploadItem {
    const item: UploadItem = new UploadItem(origin, () => this.#itemChanged(item))
    this.#items.push(item)
    this.#events.added(item)
    this.#startNext()
    return item
  }

  #remove(item: UploadItem): void {
    const place = this.#items.indexOf(item)
    if (place < 0) return
    this.#items.splice(place, 1)
    this.#events.removed(item)
    this.#startNext()
  }

  #itemChanged(item: UploadItem): void {
    this.#events.changed(item)
    this.#startNext()
  }

  #startNext(): void {
    const underWay = this.#items.filter((item) => item.state === 'uploading').length
    if (underWay >= filesAtOnce) return
    this.#items.find((item) => item.state === 'waiting' && !item.cancelling)?.start()
  }
}
