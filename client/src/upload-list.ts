import { type Fingerprints, fingerprintsOf } from './fingerprint.ts'
import { refusalOf } from './limits.ts'
import { isAway, onPresence } from './presence.ts'
import { findRemembered, isRemembered, type Remembered, scopeOf } from './remembered.ts'
import { sameBytes } from './same-bytes.ts'
import { currentSession, isSignedOut, onSession, sessionKnown } from './session.ts'
import { filesAtOnce } from './settings.ts'
import { whenUnlocked } from './tabs.ts'
import { type Chosen, UploadItem } from './upload-item.ts'

/** How long chosen files wait for remembered rows that they may belong to, in milliseconds. */
const RECALL_TIMEOUT = 500

/** Callbacks of the list to its view. */
export interface ListEvents {
  added(item: UploadItem): void
  changed(item: UploadItem): void
  removed(item: UploadItem): void
  /** A chosen file is already being uploaded. */
  alreadyPresent(item: UploadItem): void
}

/** The files of the page in order, of which some upload at the same time. */
export class UploadList {
  readonly #items: UploadItem[] = []
  readonly #events: ListEvents
  /** Whose rows these are; undefined before that is known. */
  #scope: string | undefined
  #ready: Promise<void> = Promise.resolve()

  /** Starts with the uploads that the browser remembers, as soon as it is known whose they are. */
  constructor(events: ListEvents) {
    this.#events = events
    onSession(() => this.#sessionChanged())
    onPresence(() => this.#renderRetrying())
  }

  get items(): readonly UploadItem[] {
    return this.#items
  }

  /** Adds chosen files. A file that belongs to an unfinished row resumes there. */
  async add(files: readonly File[]): Promise<void> {
    await sessionKnown()
    await this.#ready
    const scope = this.#scope
    if (scope === undefined) return
    for (const file of files) {
      const fingerprints = await fingerprintsOf(file, scope).catch(() => null)
      if (scope !== this.#scope) return
      if (fingerprints === null) this.#append({ file, fingerprint: '', state: 'failed' })
      else void this.#place(file, fingerprints)
    }
  }

  /** Cancels an upload and removes its row, unless the server fails to delete it. Returns whether that worked. */
  async cancel(item: UploadItem): Promise<boolean> {
    const isCancelled = await item.cancel()
    if (isCancelled) this.#remove(item)
    return isCancelled
  }

  /** Removes a remembered upload from this browser. */
  async forget(item: UploadItem): Promise<void> {
    await item.forget()
    this.#remove(item)
  }

  /** Removes finished files from the list, but not from the server. */
  clearFinished(): void {
    for (const item of [...this.#items]) if (item.state === 'finished') this.#remove(item)
  }

  /** Shows remembered uploads. One that another tab locks follows when it is unlocked. */
  async #recall(scope: string): Promise<void> {
    const rows = (await findRemembered(scope)).map((remembered) => this.#recallOne(remembered, scope))
    const timeout = new Promise((resolve) => setTimeout(resolve, RECALL_TIMEOUT))
    await Promise.race([Promise.all(rows), timeout])
  }

  async #recallOne(remembered: Remembered, scope: string): Promise<void> {
    await whenUnlocked(remembered.url)
    const present = this.#items.some((item) => item.url === remembered.url)
    if (present || !(await isRemembered(remembered.url)) || scope !== this.#scope) return
    void this.#lookUp(this.#append(remembered))
  }

  async #lookUp(item: UploadItem): Promise<void> {
    if (!(await item.lookUp())) this.#remove(item)
  }

  /** Finds the row of a file. A row with its fingerprint is its row only if every byte is the same. */
  async #place(file: File, fingerprints: Fingerprints): Promise<void> {
    const { current, former } = fingerprints
    const found = this.#items.filter(
      ({ state, fingerprint }) => state !== 'finished' && (fingerprint === current || fingerprint === former),
    )
    // Limits may have changed since a refusal.
    for (const item of found) if (item.refused) this.#remove(item)
    const alike = found.filter((item) => !item.refused)
    const rivals = alike.filter((item) => !item.lacksFile)
    const origin = { file, fingerprint: current }
    if (rivals.length === 0) return this.#resumeOrBegin(origin, alike)

    const row = this.#append({ ...origin, state: 'comparing' })
    const same = await this.#findSame(row, file, rivals)
    if (row.state !== 'comparing' || !this.#items.includes(row)) return
    if (same !== undefined) {
      this.#remove(row)
      if (same.state === 'paused' || same.state === 'failed') same.queue()
      else this.#events.alreadyPresent(same)
    } else if (alike.some((item) => item.lacksFile)) {
      this.#remove(row)
      this.#resumeOrBegin(origin, alike)
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
  #resumeOrBegin(origin: Omit<Chosen, 'state'>, alike: readonly UploadItem[]): void {
    const [first, ...others] = alike.filter((item) => item.lacksFile && this.#items.includes(item))
    if (first === undefined) this.#begin(origin)
    else first.lend(origin.file, origin.fingerprint, () => this.#resumeOrBegin(origin, others))
  }

  /** Starts a new upload, unless the service would refuse it. */
  #begin(origin: Omit<Chosen, 'state'>): void {
    const planned = this.#items.filter(
      ({ state, url }) => url === null && ['waiting', 'uploading', 'paused'].includes(state),
    )
    const queued = planned.reduce((sum, { size }) => sum + size, 0)
    const refusal = refusalOf(origin.file, currentSession()?.limits ?? {}, queued)
    this.#append(refusal === null ? { ...origin, state: 'waiting' } : { ...origin, state: 'failed', refusal })
  }

  #append(origin: Chosen | Remembered): UploadItem {
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
    item.leave()
    this.#events.removed(item)
    this.#startNext()
  }

  #itemChanged(item: UploadItem): void {
    this.#events.changed(item)
    this.#startNext()
  }

  /** Shows the rows of the visitor; a visitor who signs in again keeps them. */
  #sessionChanged(): void {
    const session = currentSession()
    if (session === null) return
    const scope = scopeOf(session.owner)
    if (session.signedIn && scope !== this.#scope) {
      this.#scope = scope
      for (const item of [...this.#items]) this.#remove(item)
      this.#ready = this.#recall(scope)
    }
    for (const item of this.#items) this.#events.changed(item)
    this.#startNext()
  }

  /** Retrying rows show whether they wait for the service. */
  #renderRetrying(): void {
    for (const item of this.#items) if (item.phase === 'retrying') this.#events.changed(item)
    this.#startNext()
  }

  #startNext(): void {
    if (isAway() || isSignedOut()) return
    const underWay = this.#items.filter((item) => item.state === 'uploading' && item.phase !== 'scanning').length
    if (underWay >= filesAtOnce) return
    this.#items.find((item) => item.state === 'waiting' && !item.cancelling)?.start()
  }
}
