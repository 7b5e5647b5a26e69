import { Attempt, removeUpload } from './attempt.ts'
import type { Text } from './i18n/texts.ts'
import { explain, readable } from './problem.ts'
import { askStanding, forget, type Remembered } from './remembered.ts'
import { SpeedMeter } from './speed.ts'
import { occupy } from './tabs.ts'

export type State = 'waiting' | 'uploading' | 'paused' | 'finished' | 'failed' | 'remembered'

/** What is known about a file at its row's birth: the file itself, or what the browser remembers of it. */
export type Origin = { readonly file: File; readonly fingerprint: string } | Remembered

/** One file of the list: its state, its progress, and what can be done with it. */
export class UploadItem {
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly fingerprint: string
  readonly meter = new SpeedMeter()

  state: State
  /** Bytes that were sent, or null as long as only the server knows. */
  sent: number | null
  /** Where the upload is, as soon as the server has given it a place. */
  url: string | null
  /** Why it failed. */
  problem: Text | null = null
  /** Whether the present attempt is between two tries. */
  retrying = false
  /** Whether the server is being asked to delete it. */
  cancelling = false
  /** Whether it failed for want of a connection, and goes on when there is one. */
  lostConnection = false

  #file: File | null
  #attempt: Attempt | null = null
  readonly #changed: () => void

  /** `changed` is called after every change of what the item shows. */
  constructor(origin: Origin, changed: () => void) {
    this.#changed = changed
    this.fingerprint = origin.fingerprint
    if ('file' in origin) {
      this.name = origin.file.name
      this.size = origin.file.size
      this.#file = origin.file
      this.state = 'waiting'
      this.sent = 0
      this.url = null
    } else {
      this.name = origin.name
      this.size = origin.size
      this.#file = null
      this.state = 'remembered'
      this.sent = null
      this.url = origin.url
    }
  }

  /** Takes the file that was chosen again, and waits for its turn. */
  takeFile(file: File): void {
    this.#file = file
    this.queue()
  }

  /** Waits for its turn; the list starts it. */
  queue(): void {
    if (this.#file === null || this.state === 'finished' || this.state === 'uploading') return
    this.problem = null
    this.lostConnection = false
    this.#become('waiting')
  }

  /** Begins, or goes on, sending. */
  start(): void {
    const file = this.#file
    if (file === null || this.state !== 'waiting') return
    this.meter.reset()
    this.retrying = false
    this.#attempt = new Attempt(file, this.url, {
      located: (url) => {
        this.url = url
        occupy(url)
      },
      progress: (sent) => this.#progress(sent),
      retrying: () => void this.#retrying(file),
      finished: () => this.#finish(),
      failed: (error) => void this.#fail(error, file),
    })
    this.#become('uploading')
  }

  pause(): void {
    if (this.state !== 'uploading' && this.state !== 'waiting') return
    this.#attempt?.stop()
    this.#become('paused')
  }

  /** Deletes the upload here and on the server. Returns whether it is gone; if not, the item says why. */
  async cancel(): Promise<boolean> {
    this.cancelling = true
    this.#changed()
    try {
      if (this.#attempt !== null) await this.#attempt.remove()
      else if (this.url !== null) await removeUpload(this.url)
      if (this.url !== null) await forget(this.url)
      return true
    } catch {
      this.cancelling = false
      this.problem = { key: 'problem.cancel' }
      this.#become('failed')
      return false
    }
  }

  /** Drops what the browser remembers. The server keeps its part until it expires. */
  async forget(): Promise<void> {
    if (this.url !== null) await forget(this.url)
  }

  /** Asks the server how far a remembered upload is. Returns false when there is nothing to go on with. */
  async lookUp(): Promise<boolean> {
    const url = this.url
    if (url === null) return false
    const standing = await askStanding(url)
    // Meanwhile the file may have been chosen again, and the upload be on its way.
    if (this.state !== 'remembered') return true
    if (standing.kind === 'gone' || standing.kind === 'finished') await forget(url)
    if (standing.kind === 'gone') return false
    if (standing.kind === 'finished') this.#finish()
    if (standing.kind === 'unfinished') this.sent = standing.offset
    this.#changed()
    return true
  }

  #progress(sent: number): void {
    this.retrying = false
    this.sent = sent
    this.meter.report(sent, performance.now())
    this.#changed()
  }

  async #retrying(file: File): Promise<void> {
    const attempt = this.#attempt
    this.retrying = true
    this.meter.reset()
    this.#changed()
    // No patience brings a file back that the browser cannot read any more.
    if (await readable(file)) return
    if (this.#attempt !== attempt || this.state !== 'uploading') return
    attempt?.stop()
    this.problem = { key: 'problem.file' }
    this.#become('failed')
  }

  #finish(): void {
    this.sent = this.size
    this.#become('finished')
  }

  async #fail(error: unknown, file: File): Promise<void> {
    const attempt = this.#attempt
    const problem = await explain(error, file)
    if (this.#attempt !== attempt || this.state !== 'uploading') return
    this.problem = problem.text
    this.lostConnection = problem.connection
    this.#become('failed')
  }

  #become(state: State): void {
    this.state = state
    this.retrying = false
    this.#changed()
  }
}
