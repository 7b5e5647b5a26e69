import type { ChosenFile } from '../files/chosen-file.ts'
import type { Text } from '../i18n/text.ts'
import { loadPart } from '../service/load-part.ts'
import { explain, isFinal, statusOf } from '../service/problem.ts'
import type { Attempt, Sending } from './attempt.ts'
import { Damaged } from './damaged.ts'
import { deleteUpload } from './delete-upload.ts'
import { fingerprintsOf } from './fingerprint.ts'
import { untilFinished } from './landing.ts'
import type { Context } from './options.ts'
import type { ReadLink } from './read-link.ts'
import { fetchState, forget, type Remembered, scopeOf } from './remembered.ts'
import { SpeedMeter } from './speed.ts'
import type { StoredRow } from './stored-rows.ts'
import { lockUpload } from './tabs.ts'

/** `comparing`: the file may be that of another row. `remembered`: its file must be chosen, or opened, again. */
export type State = 'comparing' | 'waiting' | 'uploading' | 'paused' | 'finished' | 'failed' | 'remembered'

/**
 * The phase of an uploading item. In `checking`, it compares the bytes on the server with the file; in `scanning`, the
 * server has every byte and scans them.
 */
export type Phase = 'sending' | 'checking' | 'scanning' | 'retrying'

/** Where a row comes from: a file, an upload that this browser remembers, or a row of an earlier visit. */
export type Origin =
  | {
      readonly chosen: ChosenFile
      readonly state: 'comparing' | 'waiting' | 'paused' | 'failed'
      readonly problem?: Text
    }
  | { readonly remembered: Remembered }
  | { readonly row: StoredRow }

/** A file of the list: its state, progress, and actions. */
export class UploadItem {
  readonly id: string
  readonly name: string
  /** Its path within a chosen folder, or nothing. */
  readonly path: string
  readonly type: string
  /** Bytes. */
  readonly size: number
  /** When it was added, in milliseconds since 1970. */
  readonly added: number
  readonly meter = new SpeedMeter()

  state: State
  /** The key of the file; null before it was read. */
  fingerprint: string | null = null
  /** Bytes sent, or null while only the server knows. */
  sent: number | null = 0
  /** The URL of the upload, once it is created. */
  url: string | null = null
  /** Why it failed. */
  problem: Text | null = null
  phase: Phase = 'sending'
  /** The share, from 0 to 1, that is compared in the state `comparing` or the phase `checking`. */
  checked = 0
  /** Whether the file itself was refused, so that a retry cannot help. */
  refused = false
  /** Whether it was finished in an earlier visit. */
  readonly isFromBefore: boolean
  /** Opens the file again, where browsers have that. */
  handle: FileSystemFileHandle | null = null

  #file: File | null = null
  /** What attempts with this file share. */
  #sending: Sending | null = null
  /** Called if the upload of a lent file turns out to belong to another file. */
  #isOther: (() => void) | null = null
  #attempt: Attempt | null = null
  #link: ReadLink | null = null
  /** Ends requests without an attempt when the item leaves the list. */
  #left = new AbortController()
  readonly #context: Context
  readonly #changed: (item: UploadItem) => void

  /** `changed` is called after every visible change of the item. */
  constructor(id: string, origin: Origin, context: Context, changed: (item: UploadItem) => void) {
    this.id = id
    this.#context = context
    this.#changed = changed
    if ('chosen' in origin) {
      const { file, path, handle } = origin.chosen
      this.name = file.name
      this.path = path
      this.type = file.type
      this.size = file.size
      this.added = now()
      this.handle = handle
      this.#take(file)
      this.state = origin.state
      this.problem = origin.problem ?? null
      this.refused = origin.problem !== undefined && origin.problem.key !== 'problem.file'
      this.isFromBefore = false
    } else {
      const known = 'row' in origin ? origin.row : { type: '', added: 0, handle: null, ...origin.remembered }
      this.name = known.name
      this.path = known.path
      this.type = known.type
      this.size = known.size
      this.added = known.added
      this.handle = known.handle
      this.url = known.url
      this.fingerprint = known.fingerprint
      this.state = 'row' in origin && origin.row.state === 'finished' ? 'finished' : 'remembered'
      this.isFromBefore = this.state === 'finished'
      this.sent = this.isFromBefore ? this.size : this.url === null ? 0 : null
    }
  }

  get file(): File | null {
    return this.#file
  }

  /** The link to the finished file, which gives no right to change it; null before there is one. */
  get link(): string | null {
    if (this.state !== 'finished') return null
    return this.#context.service.visitor.session?.links === 'plain' ? this.url : (this.#link?.url ?? null)
  }

  /** Whether the file must be chosen again. */
  get lacksFile(): boolean {
    return this.state === 'remembered' || (this.state === 'failed' && this.problem?.key === 'problem.file')
  }

  /** Whether a link to the finished file is possible, and there is none yet. */
  get lacksLink(): boolean {
    const isSigned = this.#context.service.visitor.session?.links === 'signed'
    return this.state === 'finished' && this.url !== null && this.#link === null && isSigned
  }

  /** Takes a link to the finished file, which is renewed until the item leaves. */
  keepLink(link: ReadLink): void {
    this.#link = link
  }

  /** Stops renewing the link. */
  dropLink(): void {
    this.#link?.drop()
    this.#link = null
  }

  /**
   * Queues the item to resume with a chosen file. If the server holds bytes of another file, the item returns to
   * `remembered` and calls `isOther`.
   */
  lend(file: File, fingerprint: string | null, isOther: () => void, state: 'waiting' | 'paused' = 'waiting'): void {
    this.#take(file)
    this.fingerprint = fingerprint
    this.#isOther = isOther
    this.problem = null
    this.#become(state)
  }

  /** Queues the item; the list starts it. */
  queue(): void {
    if (this.#file === null || this.state === 'finished' || this.state === 'uploading') return
    this.problem = null
    this.#become('waiting')
  }

  /** Starts or resumes sending. */
  start(): void {
    if (this.#file === null || this.state !== 'waiting') return
    this.meter.reset()
    this.#become('uploading')
    void this.#attemptWith(this.#file)
  }

  pause(): void {
    if (this.state !== 'uploading' && this.state !== 'waiting') return
    this.#attempt?.stop()
    this.#attempt = null
    this.#become('paused')
  }

  /** Deletes the upload here and on the server. Throws when that fails. */
  async remove(keepalive = false): Promise<void> {
    const attempt = this.#attempt
    this.#attempt = null
    if (attempt !== null) await attempt.remove(keepalive)
    else if (this.url !== null) await deleteUpload(this.#context.service, this.url, keepalive)
  }

  /** Stops the upload, and removes it from this browser. On the server, it expires later. */
  forget(): void {
    this.leave()
    if (this.url !== null) forget(this.url)
  }

  /** Stops everything that the item does. */
  leave(): void {
    this.#attempt?.stop()
    this.dropLink()
    this.#left.abort()
  }

  /** Shows why the item could not be removed. */
  stay(problem: Text): void {
    this.#left = new AbortController()
    if (this.state !== 'finished') {
      this.problem = problem
      this.state = 'failed'
    }
    this.#changed(this)
  }

  /** Asks the server for the state of a remembered upload. Returns whether it still exists. */
  async lookUp(): Promise<boolean> {
    const { url } = this
    if (url === null) return true
    const remote = await fetchState(this.#context.service, url)
    // Meanwhile, the file may have been chosen again.
    if (this.state !== 'remembered') return true
    if (remote.kind === 'gone') {
      forget(url)
      return false
    }
    if (remote.kind === 'whole') void this.#land(url)
    if (remote.kind === 'refused') this.#failWith(remote.error, await explain(remote.error, null))
    if (remote.kind === 'unfinished') this.sent = remote.offset
    this.#changed(this)
    return true
  }

  /** Shows the progress of a comparison with other rows. Returns whether to continue it. */
  compared(share: number): boolean {
    this.checked = share
    this.#changed(this)
    return this.state === 'comparing' && !this.#left.signal.aborted
  }

  #take(file: File): void {
    this.#file = file
    this.#sending = null
  }

  async #attemptWith(file: File): Promise<void> {
    const { service } = this.#context
    const { signal } = this.#left
    let Attempt: typeof import('./attempt.ts').Attempt
    try {
      const owner = service.visitor.session?.owner ?? null
      this.fingerprint ??= (await fingerprintsOf(file, scopeOf(service.endpoint, owner))).current
      this.phase = service.presence.isAway ? 'retrying' : 'sending'
      Attempt = (await loadPart(() => import('./attempt.ts'), service.presence)).Attempt
    } catch (error) {
      if (this.state === 'uploading') void this.#fail(error, file)
      return
    }
    // All of this may have taken longer than its user waited.
    if (this.state !== 'uploading' || this.#attempt !== null || signal.aborted) return
    const { path, fingerprint } = this
    this.#sending ??= { file, path, fingerprint, proof: null, digest: null }
    this.#attempt = new Attempt(this.#sending, this.url, this.#context, {
      located: (url) => this.#located(url),
      checking: (share) => this.#checking(share),
      progress: (sent) => this.#progress(sent),
      scanning: () => this.#scanning(),
      retrying: () => this.#retrying(),
      finished: () => this.#finish(),
      differs: () => this.#differs(),
      failed: (error) => void this.#fail(error, file),
    })
  }

  /** Waits until the server has finished a remembered upload, of which it has every byte. */
  async #land(url: string): Promise<void> {
    const { service } = this.#context
    const { signal } = this.#left
    try {
      if (service.visitor.session?.links !== 'plain') {
        await untilFinished(service, url, signal, () => {
          this.state = 'uploading'
          this.#scanning()
        })
      }
      // Meanwhile, the file may have been chosen again.
      if (this.#attempt === null) this.#finish()
    } catch (error) {
      if (signal.aborted || this.#attempt !== null) return
      if (isFinal(error)) this.#failWith(error, await explain(error, null))
      else this.#become('remembered')
    }
  }

  #located(url: string): void {
    // The server no longer had the upload, so the attempt created another.
    if (this.url !== null && this.url !== url) forget(this.url)
    this.url = url
    this.#isOther = null
    lockUpload(url)
    this.#changed(this)
  }

  #checking(share: number): void {
    this.phase = 'checking'
    this.checked = share
    this.#changed(this)
  }

  #progress(sent: number): void {
    this.phase = 'sending'
    this.sent = sent
    this.meter.report(sent, performance.now())
    this.#changed(this)
  }

  #scanning(): void {
    this.phase = 'scanning'
    this.sent = this.size
    this.#changed(this)
  }

  #retrying(): void {
    this.phase = 'retrying'
    this.meter.reset()
    this.#changed(this)
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
    this.#file = null
    this.#become('remembered')
    isOther()
  }

  #finish(): void {
    const { visitor } = this.#context.service
    this.sent = this.size
    this.#attempt = null
    this.#file = null
    this.handle = null
    if (this.url !== null) forget(this.url)
    this.#become('finished')
    if (visitor.session?.limits.quota !== undefined) void visitor.refresh()
  }

  async #fail(error: unknown, file: File): Promise<void> {
    const attempt = this.#attempt
    const isDamaged = error instanceof Damaged
    const problem: Text = isDamaged ? { key: 'problem.digest' } : await explain(error, file)
    if (this.#attempt !== attempt || this.state !== 'uploading') return
    if (statusOf(error) === 401) void this.#context.service.visitor.refresh()
    // A retry must begin with a new upload.
    if (problem.key === 'problem.digest') {
      if (this.url !== null) forget(this.url)
      this.url = null
      this.sent = 0
    }
    this.#failWith(error, problem)
  }

  #failWith(error: unknown, problem: Text): void {
    this.problem = problem
    this.refused = isFinal(error)
    this.#attempt = null
    if (this.refused && this.url !== null) forget(this.url)
    this.#become('failed')
  }

  #become(state: State): void {
    this.state = state
    this.phase = 'sending'
    this.#changed(this)
  }
}

let last = 0

/** Milliseconds since 1970; files that are added at the same time keep their order. */
function now(): number {
  last = Math.max(Date.now(), last + 0.001)
  return last
}
