import { Attempt, type ChosenFile, removeUpload } from './attempt.ts'
import type { Text } from './i18n/texts.ts'
import { untilFinished } from './landing.ts'
import { explain, isFinal, statusOf } from './problem.ts'
import { Proof } from './proof.ts'
import { ReadLink } from './read-link.ts'
import { fetchState, forget, type Remembered } from './remembered.ts'
import { currentSession, refreshSession } from './session.ts'
import { SpeedMeter } from './speed.ts'
import { lockUpload } from './tabs.ts'

/** `comparing`: the file may be that of another row. */
export type State = 'comparing' | 'waiting' | 'uploading' | 'paused' | 'finished' | 'failed' | 'remembered'

/**
 * The phase of an uploading item. In `checking`, it compares the bytes on the server with the file; in `scanning`, the
 * server has every byte and scans them.
 */
export type Phase = 'sending' | 'checking' | 'scanning' | 'retrying'

/** A chosen file, and the first state of its row. */
export interface Chosen {
  readonly file: File
  readonly fingerprint: string
  readonly state: 'comparing' | 'waiting' | 'failed'
  /** In the state `failed`, why the service would refuse it; absent when it cannot be read. */
  readonly refusal?: Text
}

/** A file of the list: its state, progress, and actions. */
export class UploadItem {
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly fingerprint: string
  readonly meter = new SpeedMeter()

  state: State
  /** Bytes sent, or null while only the server knows. */
  sent: number | null
  /** The URL of the upload, once it is created. */
  url: string | null
  /** Why it failed. */
  problem: Text | null = null
  phase: Phase = 'sending'
  /** The share, from 0 to 1, that is compared in the state `comparing` or the phase `checking`. */
  checked = 0
  /** Whether the file itself was refused, so that a retry cannot help. */
  refused = false
  /** Whether the server is deleting it. */
  cancelling = false

  #chosen: ChosenFile | null
  /** Called if the upload of a lent file turns out to belong to another file. */
  #isOther: (() => void) | null = null
  #attempt: Attempt | null = null
  #link: ReadLink | null = null
  /** Ends requests without an attempt when the item leaves the list. */
  readonly #left = new AbortController()
  readonly #changed: () => void

  /** `changed` is called after every visible change of the item. */
  constructor(origin: Chosen | Remembered, changed: () => void) {
    this.#changed = changed
    this.fingerprint = origin.fingerprint
    if ('file' in origin) {
      this.name = origin.file.name
      this.size = origin.file.size
      this.#chosen = { ...origin, proof: new Proof(origin.file) }
      this.state = origin.state
      if (origin.state === 'failed') this.problem = origin.refusal ?? { key: 'problem.file' }
      this.refused = origin.refusal !== undefined
      this.sent = 0
      this.url = null
    } else {
      this.name = origin.name
      this.size = origin.size
      this.#chosen = null
      this.state = 'remembered'
      this.sent = null
      this.url = origin.url
    }
  }

  get file(): File | null {
    return this.#chosen?.file ?? null
  }

  /** The link to the finished file, which gives no right to change it; null before there is one. */
  get link(): string | null {
    if (this.state !== 'finished') return null
    return this.#link === null && currentSession()?.links === 'plain' ? this.url : (this.#link?.url ?? null)
  }

  /** Whether the file must be chosen again. */
  get lacksFile(): boolean {
    return this.state === 'remembered' || (this.state === 'failed' && this.problem?.key === 'problem.file')
  }

  /**
   * Queues the item to resume with a chosen file. If the server holds bytes of another file, the item returns to
   * `remembered` and calls `isOther`.
   */
  lend(file: File, fingerprint: string, isOther: () => void): void {
    this.#chosen = { file, fingerprint, proof: new Proof(file) }
    this.#isOther = isOther
    this.queue()
  }

  /** Queues the item; the list starts it. */
  queue(): void {
    if (this.#chosen === null || this.state === 'finished' || this.state === 'uploading') return
    this.problem = null
    this.#become('waiting')
  }

  /** Starts or resumes sending. */
  start(): void {
    const chosen = this.#chosen
    if (chosen === null || this.state !== 'waiting') return
    this.meter.reset()
    this.#attempt = new Attempt(chosen, this.url, {
      located: (url) => this.#located(url),
      checking: (share) => this.#checking(share),
      progress: (sent) => this.#progress(sent),
      scanning: () => this.#scanning(),
      retrying: () => this.#retrying(),
      finished: () => this.#finish(),
      differs: () => this.#differs(),
      failed: (error) => void this.#fail(error, chosen.file),
    })
    this.#become('uploading')
  }

  pause(): void {
    if (this.state !== 'uploading' && this.state !== 'waiting') return
    this.#attempt?.stop()
    this.#become('paused')
  }

  /** Deletes the upload here and on the server. Returns whether that worked; if not, the item shows why. */
  async cancel(): Promise<boolean> {
    this.cancelling = true
    this.#changed()
    try {
      if (this.#attempt !== null) await this.#attempt.remove()
      else if (this.url !== null) await removeUpload(this.url)
      return true
    } catch (error) {
      if (statusOf(error) === 401) void refreshSession()
      this.cancelling = false
      this.problem = { key: 'problem.cancel' }
      this.#become('failed')
      return false
    }
  }

  /** Stops the upload, and removes it from this browser. On the server, it expires later. */
  async forget(): Promise<void> {
    this.leave()
    if (this.url !== null) await forget(this.url)
  }

  /** Stops everything that the item does. */
  leave(): void {
    this.#attempt?.stop()
    this.#link?.drop()
    this.#left.abort()
  }

  /** Asks the server for the state of a remembered upload. Returns whether it still exists. */
  async lookUp(): Promise<boolean> {
    const url = this.url
    if (url === null) return false
    const remote = await fetchState(url)
    // Meanwhile, the file may have been chosen again.
    if (this.state !== 'remembered') return true
    if (remote.kind === 'gone') {
      await forget(url)
      return false
    }
    if (remote.kind === 'whole') void this.#land(url)
    if (remote.kind === 'refused') this.#failWith(remote.error, await explain(remote.error, null))
    if (remote.kind === 'unfinished') this.sent = remote.offset
    this.#changed()
    return true
  }

  /** Waits until the server has finished a remembered upload, of which it has every byte. */
  async #land(url: string): Promise<void> {
    try {
      if (currentSession()?.links !== 'plain') {
        await untilFinished(url, this.#left.signal, () => {
          this.state = 'uploading'
          this.#scanning()
        })
      }
      // Meanwhile, the file may have been chosen again.
      if (this.#attempt === null) this.#finish()
    } catch (error) {
      if (this.#left.signal.aborted || this.#attempt !== null) return
      if (isFinal(error)) this.#failWith(error, await explain(error, null))
      else this.#become('remembered')
    }
  }

  /** Shows the progress of a comparison with other rows. Returns whether to continue it. */
  compared(share: number): boolean {
    this.checked = share
    this.#changed()
    return this.state === 'comparing' && !this.cancelling
  }

  #located(url: string): void {
    // The server no longer had the upload, so the attempt created another.
    if (this.url !== null && this.url !== url) void forget(this.url)
    this.url = url
    this.#isOther = null
    lockUpload(url)
  }

  #checking(share: number): void {
    this.phase = 'checking'
    this.checked = share
    this.#changed()
  }

  #progress(sent: number): void {
    this.phase = 'sending'
    this.sent = sent
    this.meter.report(sent, performance.now())
    this.#changed()
  }

  #scanning(): void {
    this.phase = 'scanning'
    this.sent = this.size
    this.#changed()
  }

  #retrying(): void {
    this.phase = 'retrying'
    this.meter.reset()
    this.#changed()
  }

  /**
   * Returns a lent file. If the file is its own, another tab has appended to the upload, and the item starts a new one.
   */
  #differs(): void {
    const isOther = this.#isOther
    this.#attempt = null
    if (isOther === null) {
      this.url = null
      this.sent = 0
      this.#become('waiting')
      return
    }
    this.#isOther = null
    this.#chosen = null
    this.#become('remembered')
    isOther()
  }

  #finish(): void {
    this.sent = this.size
    if (this.url !== null) {
      void forget(this.url)
      if (currentSession()?.links === 'signed') this.#link = new ReadLink(this.url, this.#changed)
    }
    this.#become('finished')
    if (currentSession()?.limits.quota !== undefined) void refreshSession()
  }

  async #fail(error: unknown, file: File): Promise<void> {
    const attempt = this.#attempt
    const problem = await explain(error, file)
    if (this.#attempt !== attempt || this.state !== 'uploading') return
    this.#failWith(error, problem)
  }

  #failWith(error: unknown, problem: Text): void {
    this.problem = problem
    this.refused = isFinal(error)
    if (this.refused && this.url !== null) void forget(this.url)
    this.#become('failed')
  }

  #become(state: State): void {
    this.state = state
    this.phase = 'sending'
    this.#changed()
  }
}
