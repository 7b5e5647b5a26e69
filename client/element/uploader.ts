import { element } from '../src/dom.ts'
import { percentOf } from '../src/format.ts'
import { Hasher } from './digest/hasher.ts'
import { FileEvents, type Happening } from './file-events.ts'
import { type ChosenFile, plainFile } from './files/chosen-file.ts'
import { acceptDrops } from './files/drop-zone.ts'
import { pickFiles, pickFolder } from './files/pick-files.ts'
import { readTransfer } from './files/read-dropped.ts'
import { Language } from './i18n/language.ts'
import { acceptOf, limitsOf, limitTexts } from './queue/limits.ts'
import type { Context, QueueOptions } from './queue/options.ts'
import { type Total, Totals } from './queue/totals.ts'
import type { UploadItem } from './queue/upload-item.ts'
import { type ListEvents, UploadList } from './queue/upload-list.ts'
import { loadPart } from './service/load-part.ts'
import { Service } from './service/service.ts'
import { Announcer } from './view/announcer.ts'
import { DropView } from './view/drop-view.ts'
import type { Host, ListSection } from './view/list-section.ts'
import { NoticeView } from './view/notice-view.ts'
import type { Surroundings } from './view/status-line.ts'
import { showInTitle } from './view/tab-title.ts'

/** How often rows are drawn without progress, to remove a stale speed; and without frames; milliseconds. */
const REFRESH_EVERY = 1000
const DRAW_HIDDEN_EVERY = 250

/** What the attributes and properties of the element say. Each use reads them again, because they change. */
export interface UploaderOptions extends QueueOptions {
  readonly endpoint: string
  readonly isMultiple: boolean
  readonly accept: string
  readonly hasFolders: boolean
  readonly isDisabled: boolean
  readonly takesDrops: boolean
  /** Whether the whole page is the drop zone, and its title shows the progress. */
  readonly ownsPage: boolean
  readonly hasList: boolean
  readonly languages: readonly string[]
}

/** What the uploader reports to its element. */
export interface UploaderEvents {
  /** Before files are added. Returns whether to add them. */
  beforeAdd(files: readonly File[]): boolean
  happened(item: UploadItem, what: Happening): void
  removed(item: UploadItem): void
  /** The files as a whole have changed. */
  total(total: Total, isComplete: boolean): void
  over(isOver: boolean): void
}

/** Everything that an element does while it is in a document. */
export class Uploader implements ListEvents {
  readonly service: Service
  readonly list: UploadList
  readonly language: Language
  readonly #options: UploaderOptions
  readonly #events: UploaderEvents
  readonly #left: AbortSignal
  readonly #fileEvents: FileEvents
  readonly #context: Context
  readonly #around: Surroundings
  readonly #root: ShadowRoot
  readonly #totals = new Totals()
  readonly #announcer: Announcer
  readonly #drop: DropView
  readonly #limits = element('p', { class: 'limits', id: 'limits', 'data-testid': 'limits' })
  readonly #notice: NoticeView
  /** The live region; the list comes before it. */
  readonly #region = element('p', { class: 'unseen', id: 'announcer', role: 'status', 'aria-live': 'polite' })
  #section: ListSection | null = null
  #loading: Promise<ListSection | null> | null = null
  /** Items to draw; null for all. */
  #dirty: Set<UploadItem> | null = null
  #isDrawing = false
  #wasSignedIn = false
  #reading: number | null = null

  /** Draws into `root`, until `left` aborts. */
  constructor(root: ShadowRoot, options: UploaderOptions, events: UploaderEvents, left: AbortSignal) {
    this.#options = options
    this.#events = events
    this.#left = left
    this.#fileEvents = new FileEvents((item, what) => this.#happened(item, what))
    this.language = new Language(() => this.redraw())
    this.service = new Service(options.endpoint, () => this.#serviceChanged(), left)
    const hasher = new Hasher(left)
    this.#context = {
      service: this.service,
      options,
      digestOf: (file) => hasher.digestOf(file),
    }
    this.#around = {
      language: this.language,
      service: this.service,
      get isManual() {
        return options.isManual
      },
    }
    this.#root = root
    this.#announcer = new Announcer(this.#region)
    this.#drop = new DropView({
      chosen: (files) => void this.add(files.map(plainFile)),
      choosing: (what) => this.#choosing(what),
    })
    this.#notice = new NoticeView(
      { class: 'notice', id: 'notice', 'data-testid': 'notice' },
      'sign-in',
      () => void this.service.visitor.refresh(),
    )
    root.append(this.#drop.root, this.#limits, this.#notice.root, this.#region)
    this.list = new UploadList(this.#context, this, left)
    this.#listen(root)
  }

  /** Begins: asks the service who the visitor is, and shows what the browser remembers. */
  begin(token: string | null): void {
    this.redraw()
    if (token === null) void this.service.visitor.refresh()
    else this.service.visitor.offer(token)
    // What the first file needs is loaded before the connection may be lost.
    void import('./queue/attempt.ts').catch(() => undefined)
    void this.#listSection()
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
    await this.list.add(this.#options.isMultiple ? files : files.slice(0, 1))
  }

  /** Cancels an item, or everything that is not finished. */
  async cancel(item: UploadItem): Promise<void> {
    await (await this.#listSection())?.act(item, 'cancel')
  }

  async cancelAll(): Promise<void> {
    ;(await this.#listSection())?.command('cancel')
  }

  /** Shows everything again, for instance after attributes have changed. */
  redraw(): void {
    this.#dirty = null
    void this.language.choose(this.#options.languages)
    this.#draw()
    this.list.proceed()
  }

  added(item: UploadItem): void {
    this.#fileEvents.added(item)
    this.#changed(item)
  }

  changed(item: UploadItem): void {
    this.#fileEvents.changed(item, performance.now())
    this.#changed(item)
  }

  removed(item: UploadItem): void {
    this.#events.removed(item)
    this.#changed()
  }

  alreadyPresent(item: UploadItem): void {
    this.#announcer.say(this.language.t('said.present', { name: item.name }))
  }

  tooMany(most: number): void {
    this.#announcer.say(this.language.t('said.too-many', { count: most }))
  }

  #listen(root: ShadowRoot): void {
    const left = this.#left
    const zone = this.#options.ownsPage ? window : root.host instanceof HTMLElement ? root.host : this.#drop.root
    const over = (isOver: boolean): void => {
      this.#drop.isOver = isOver
      this.#events.over(isOver)
    }
    if (this.#options.takesDrops) acceptDrops(zone, { over, dropped: (transfer) => void this.#dropped(transfer) }, left)
    const refresh = setInterval(() => this.#refresh(), REFRESH_EVERY)
    left.addEventListener('abort', () => {
      clearInterval(refresh)
      if (this.#options.ownsPage) showInTitle(null)
    })
    window.addEventListener('beforeunload', (event) => this.#total().running > 0 && event.preventDefault(), {
      signal: left,
    })
    for (const type of ['online', 'offline']) window.addEventListener(type, () => this.#changed(), { signal: left })
  }

  async #dropped(transfer: DataTransfer): Promise<void> {
    if (this.#reason() !== null) return this.add([])
    let count = 0
    const hasFolder = await readTransfer(transfer, (files) => {
      count += files.length
      this.#setReading(count)
      return this.add(files)
    })
    this.#setReading(null)
    if (hasFolder && count === 0) this.#announcer.say(this.language.t('said.empty'))
  }

  #setReading(count: number | null): void {
    this.#reading = count
    this.#changed()
  }

  /** Opens a dialogue that returns handles, if the queue is to survive a reload. */
  #choosing(what: 'files' | 'folder'): boolean {
    if (!this.#options.resumes || !('showOpenFilePicker' in window) || window.top !== window) return false
    const isOpen = what === 'files' ? this.#pickFiles() : pickFolder((files) => this.add(files))
    // Some policies forbid this dialogue, but not that of an input.
    void isOpen.then((was) => was || this.#drop.choose(what))
    return true
  }

  async #pickFiles(): Promise<boolean> {
    const files = await pickFiles(this.#options.isMultiple, this.#accept)
    if (files !== null) await this.add(files)
    return files !== null
  }

  #chooseFiles(): void {
    if (!this.#choosing('files')) this.#drop.choose('files')
  }

  #happened(item: UploadItem, what: Happening): void {
    if (what === 'finish') this.#section?.finished(item)
    if (what === 'error' || what === 'reject') void this.#listSection().then((section) => section?.failed(item))
    this.#events.happened(item, what)
  }

  #serviceChanged(): void {
    if (this.service.visitor.session?.signedIn) this.#wasSignedIn = true
    this.#dirty = null
    this.list.sessionChanged()
    this.list.proceed()
    this.#draw()
  }

  /** Why the visitor cannot upload, or null. */
  #reason(): string | null {
    const { visitor, presence } = this.service
    const { session } = visitor
    if (session === null) return presence.isAway ? this.language.t('state.away') : null
    if (!session.signedIn) return this.language.t(this.#wasSignedIn ? 'notice.expired' : 'notice.signed-out')
    return session.may.has('create') ? null : this.language.t('problem.denied')
  }

  get #accept(): string {
    const { accept } = this.#options
    return accept === '' ? acceptOf(this.service.visitor.session?.limits ?? {}) : accept
  }

  #total(): Total {
    return this.#totals.of(this.list.items, performance.now())
  }

  /** Draws soon: what changes in one frame is drawn once. */
  #changed(item?: UploadItem): void {
    if (item !== undefined) this.#dirty?.add(item)
    if (this.#isDrawing) return
    this.#isDrawing = true
    const draw = (): void => {
      cancelAnimationFrame(frame)
      clearTimeout(timer)
      this.#isDrawing = false
      this.#draw()
    }
    const frame = requestAnimationFrame(draw)
    // A hidden tab has no frames, but a title.
    const timer = setTimeout(draw, DRAW_HIDDEN_EVERY)
  }

  #refresh(): void {
    if (this.list.items.some(({ state }) => state === 'uploading')) {
      this.#section?.refresh()
      this.#changed()
    }
  }

  #draw(): void {
    if (this.#left.aborted) return
    const dirty = this.#dirty
    this.#dirty = new Set()
    const total = this.#total()
    for (const part of this.#root.children) if (part instanceof HTMLElement) part.lang = this.language.locale
    this.#drawFrame(total)
    const isComplete = this.#section?.draw(total, dirty, this.#options.hasList) ?? false
    if (this.#options.ownsPage) showInTitle(total.running > 0 ? percentOf(total.sent, total.size) : null)
    this.#events.total(total, isComplete)
  }

  /** What shows the list; null when it cannot be loaded, or the element has left. */
  #listSection(): Promise<ListSection | null> {
    this.#loading ??= this.#loadSection()
    return this.#loading
  }

  async #loadSection(): Promise<ListSection | null> {
    const load = (): Promise<typeof import('./view/list-section.ts')> => import('./view/list-section.ts')
    const module = await loadPart(load, this.service.presence).catch(() => null)
    if (module === null || this.#left.aborted) {
      this.#loading = null
      return null
    }
    const host: Host = {
      list: this.list,
      context: this.#context,
      around: this.#around,
      announcer: this.#announcer,
      chooseFiles: () => this.#chooseFiles(),
      draw: () => this.#draw(),
      drawSoon: () => this.#changed(),
      focus: () => this.anchor.focus(),
    }
    this.#section = new module.ListSection(this.#root, this.#region, host, this.#left)
    this.#dirty = null
    this.#draw()
    return this.#section
  }

  /** Draws what surrounds the rows. */
  #drawFrame(total: Total): void {
    const { language, service } = this
    const { session } = service.visitor
    const { isMultiple, hasFolders, ownsPage, isDisabled, limits } = this.#options
    const reason = this.#reason()
    this.#drop.root.hidden = reason !== null
    this.#drop.render(
      {
        isMultiple,
        hasFolders,
        isDisabled,
        accept: this.#accept,
        isOnPage: ownsPage,
        isCompact: total.all > 0,
        reading: this.#reading,
      },
      language,
    )
    const canRetry = session !== null && !session.signedIn
    if (this.#notice.render(reason, canRetry ? language.t('notice.retry') : null)) this.#announcer.say(reason ?? '')
    const texts = reason === null ? limitTexts(limitsOf(session?.limits ?? {}, limits), language) : []
    this.#limits.textContent = texts.join(' · ')
  }
}
