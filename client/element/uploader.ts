import { element } from '../src/dom.ts'
import { type ChosenFile, plainFile } from './files/chosen-file.ts'
import { acceptDrops } from './files/drop-zone.ts'
import { pickFiles, pickFolder } from './files/pick-files.ts'
import { type Source, sourcesIn } from './files/sources.ts'
import type { FilesPanel, Frame, PanelEvents, PanelOptions } from './files-panel.ts'
import { Language } from './i18n/language.ts'
import { hasMemory } from './queue/has-memory.ts'
import { acceptOf, limitsOf, limitTexts } from './queue/limits.ts'
import type { UploadItem } from './queue/upload-item.ts'
import { loadPart } from './service/load-part.ts'
import { Service } from './service/service.ts'
import { Announcer } from './view/announcer.ts'
import { DropView } from './view/drop-view.ts'
import { NoticeView } from './view/notice-view.ts'

/** Signs that files will follow. */
const SIGNS = ['pointerover', 'focusin', 'dragenter'] as const

const NO_FILES = { all: 0, finished: 0, failed: 0, paused: 0, running: 0 }

/** What the attributes and properties of the element say. Each use reads them again, because they change. */
export interface UploaderOptions extends PanelOptions {
  readonly endpoint: string
  readonly isMultiple: boolean
  readonly accept: string
  readonly hasFolders: boolean
  readonly isDisabled: boolean
  readonly takesDrops: boolean
  /** Whether the whole page is the drop zone, and its title shows the progress. */
  readonly ownsPage: boolean
  readonly languages: readonly string[]
}

/** What the uploader reports to its element. */
export interface UploaderEvents extends PanelEvents {
  /** Before files are added. Returns whether to add them. */
  beforeAdd(files: readonly File[]): boolean
  over(isOver: boolean): void
}

/** What an element does while it is in a document. Files need a `FilesPanel`, which is loaded for them. */
export class Uploader {
  readonly service: Service
  readonly language: Language
  readonly #root: ShadowRoot
  readonly #options: UploaderOptions
  readonly #events: UploaderEvents
  readonly #left: AbortSignal
  readonly #announcer: Announcer
  readonly #drop: DropView
  readonly #limits = element('p', { class: 'limits', id: 'limits', 'data-testid': 'limits' })
  readonly #notice: NoticeView
  /** The live region; the list comes before it. */
  readonly #region = element('p', { class: 'unseen', id: 'announcer', role: 'status', 'aria-live': 'polite' })
  #panel: FilesPanel | null = null
  #loading: Promise<FilesPanel | null> | null = null
  /** Whether the service does not have the panel any more, for instance after an upgrade. */
  #isOutdated = false
  /** Files that wait for the panel. */
  #waiting = 0
  /** How often the list has been cleared: what was chosen before does not follow. */
  #cleared = 0
  #wasAway = false
  #wasSignedIn = false
  #reading: number | null = null

  /** Draws into `root`, until `left` aborts. */
  constructor(root: ShadowRoot, options: UploaderOptions, events: UploaderEvents, left: AbortSignal) {
    this.#root = root
    this.#options = options
    this.#events = events
    this.#left = left
    this.language = new Language(() => this.redraw())
    this.service = new Service(options.endpoint, () => this.#serviceChanged(), left)
    this.#announcer = new Announcer(this.#region)
    this.#drop = new DropView({
      chosen: (files) => void this.add(files.map(plainFile)),
      choosing: (what) => this.#choosing(what),
    })
    this.#notice = new NoticeView({ class: 'notice', id: 'notice', 'data-testid': 'notice' }, 'sign-in', () => {
      if (this.#isOutdated) location.reload()
      else void this.service.visitor.refresh()
    })
    root.append(this.#drop.root, this.#limits, this.#notice.root, this.#region)
    this.#listen(root)
  }

  /** Begins: asks the service who the visitor is, and shows what the browser remembers. */
  begin(token: string | null): void {
    this.redraw()
    if (token === null) void this.service.visitor.refresh()
    else this.service.visitor.offer(token)
    const open = (): void => void this.#open()
    if (this.#options.resumes) void hasMemory().then((has) => has && open())
    // A page for uploads is going to need it: it is loaded before the connection may be lost.
    if (this.#options.ownsPage) (globalThis.requestIdleCallback ?? setTimeout)(open)
  }

  /** What files need; null before it is loaded. */
  get panel(): FilesPanel | null {
    return this.#panel
  }

  get items(): readonly UploadItem[] {
    return this.#panel?.list.items ?? []
  }

  /** What receives the focus of the element. */
  get anchor(): HTMLElement {
    return this.#drop.anchor
  }

  /** Adds chosen files, unless the visitor may not upload. */
  async add(files: readonly ChosenFile[]): Promise<void> {
    const reason = this.#reason()
    if (reason !== null) this.#announcer.say(reason)
    if (reason !== null || this.#options.isDisabled || files.length === 0) return
    if (!this.#events.beforeAdd(files.map(({ file }) => file))) return
    const taken = this.#options.isMultiple ? files : files.slice(0, 1)
    const panel = await this.#opened(taken.length)
    await panel?.list.add(taken)
  }

  /** Forgets all files. */
  clear(): void {
    this.#cleared += 1
    const list = this.#panel?.list
    list?.forgetAll(list.items)
  }

  /** Whether it has no files, also none that wait. */
  get isEmpty(): boolean {
    return this.items.length === 0 && this.#waiting === 0
  }

  /** Shows everything again, for instance after attributes have changed. */
  redraw(): void {
    void this.language.choose(this.#options.languages)
    this.#draw(true)
    this.#panel?.list.proceed()
  }

  #listen(root: ShadowRoot): void {
    const left = this.#left
    const zone = this.#options.ownsPage ? window : root.host instanceof HTMLElement ? root.host : this.#drop.root
    const over = (isOver: boolean): void => {
      this.#drop.isOver = isOver
      this.#events.over(isOver)
    }
    const dropped = (transfer: DataTransfer): void => void this.#read(sourcesIn(transfer))
    if (this.#options.takesDrops) acceptDrops(zone, { over, dropped }, left)
    window.addEventListener('beforeunload', (event) => this.#waiting > 0 && event.preventDefault(), { signal: left })
    for (const sign of SIGNS) zone.addEventListener(sign, () => void this.#open(), { signal: left, once: true })
  }

  async #read(sources: readonly Source[]): Promise<void> {
    if (this.#reason() !== null) return this.add([])
    const panel = await this.#opened(sources.length)
    await panel?.read(sources, (files) => this.add(files))
  }

  /** The panel for so many files, which count as running meanwhile; null also if they are not wanted any more. */
  async #opened(files: number): Promise<FilesPanel | null> {
    if (this.#panel !== null) return this.#panel
    const cleared = this.#cleared
    this.#waiting += files
    this.#draw(false)
    const panel = await this.#open()
    this.#waiting -= files
    return this.#cleared === cleared ? panel : null
  }

  /** Opens a dialogue that returns handles, if the queue is to survive a reload. */
  #choosing(what: 'files' | 'folder'): boolean {
    if (!this.#options.resumes || !('showOpenFilePicker' in window) || window.top !== window) return false
    const isOpen = what === 'files' ? this.#pickFiles() : this.#pickFolder()
    // Some policies forbid this dialogue, but not that of an input.
    void isOpen.then((was) => was || this.#drop.choose(what))
    return true
  }

  async #pickFiles(): Promise<boolean> {
    const files = await pickFiles(this.#options.isMultiple, this.#accept)
    if (files !== null) await this.add(files)
    return files !== null
  }

  async #pickFolder(): Promise<boolean> {
    const folder = await pickFolder()
    if (folder) await this.#read([{ handle: Promise.resolve(folder), entry: null, file: null }])
    return folder !== null
  }

  #chooseFiles(): void {
    if (!this.#choosing('files')) this.#drop.choose('files')
  }

  #serviceChanged(): void {
    if (this.service.visitor.session?.signedIn) this.#wasSignedIn = true
    this.#panel?.serviceChanged()
    this.redraw()
  }

  /** Why the visitor cannot upload, or null. */
  #reason(): string | null {
    const { visitor, presence } = this.service
    const { session } = visitor
    if (session === null) return presence.isAway ? this.language.t('state.away') : null
    if (this.#isOutdated) return this.language.t('notice.reload')
    if (!session.signedIn) return this.language.t(this.#wasSignedIn ? 'notice.expired' : 'notice.signed-out')
    return session.may.has('create') ? null : this.language.t('problem.denied')
  }

  get #accept(): string {
    const { accept } = this.#options
    return accept === '' ? acceptOf(this.service.visitor.session?.limits ?? {}) : accept
  }

  /** What files need; null when it cannot be loaded, or the element has left. */
  #open(): Promise<FilesPanel | null> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  async #load(): Promise<FilesPanel | null> {
    const load = (): Promise<typeof import('./files-panel.ts')> => import('./files-panel.ts')
    const module = await loadPart(load, this.service.presence).catch(() => null)
    if (this.#left.aborted) return null
    if (module === null && !this.#options.ownsPage && this.#waiting === 0) this.#loading = null
    else if (module === null) this.#isOutdated = true
    else this.#panel = new module.FilesPanel(this.#root, this.#region, this.#frame(), this.#left)
    this.#draw(true)
    // Loaded now, it need not be when the connection is lost.
    void import('./queue/attempt.ts').catch(() => undefined)
    return this.#panel
  }

  #frame(): Frame {
    return {
      service: this.service,
      language: this.language,
      options: this.#options,
      events: this.#events,
      announcer: this.#announcer,
      draw: () => this.#draw(false),
      reading: (count) => {
        this.#reading = count
        this.#draw(false)
      },
      chooseFiles: () => this.#chooseFiles(),
      focus: () => this.anchor.focus(),
    }
  }

  #draw(isAll: boolean): void {
    if (this.#left.aborted) return
    for (const part of this.#root.children) if (part instanceof HTMLElement) part.lang = this.language.locale
    this.#drawZone()
    if (this.#panel === null) this.#events.total({ ...NO_FILES, all: this.#waiting, running: this.#waiting }, false)
    else this.#panel.draw(isAll)
  }

  /** Draws what surrounds the list. */
  #drawZone(): void {
    const { language, service } = this
    const { session } = service.visitor
    const { isMultiple, hasFolders, ownsPage, isDisabled, limits } = this.#options
    const reason = this.#reason()
    const isAway = this.#waiting > 0 && service.presence.isAway
    if (isAway && !this.#wasAway) this.#announcer.say(language.t('state.away'))
    this.#wasAway = isAway
    this.#drop.root.hidden = reason !== null
    this.#drop.render(
      {
        isMultiple,
        hasFolders,
        isDisabled,
        accept: this.#accept,
        isOnPage: ownsPage,
        isCompact: this.items.length > 0,
        isAway,
        reading: this.#reading,
      },
      language,
    )
    const button = this.#isOutdated ? 'notice.reload-now' : session?.signedIn === false ? 'notice.retry' : null
    if (this.#notice.render(reason, button && language.t(button))) this.#announcer.say(reason ?? '')
    const texts = reason === null ? limitTexts(limitsOf(session?.limits ?? {}, limits), language) : []
    this.#limits.textContent = texts.join(' · ')
  }
}
