import { percentOf } from '../src/format.ts'
import { Hasher } from './digest/hasher.ts'
import { FileEvents, type Happening } from './file-events.ts'
import type { ChosenFile } from './files/chosen-file.ts'
import { readSources } from './files/read-dropped.ts'
import type { Source } from './files/sources.ts'
import { fileTexts } from './i18n/en-files.ts'
import { addTexts, type Language } from './i18n/language.ts'
import type { Context, QueueOptions } from './queue/options.ts'
import { type Counts, type Total, Totals } from './queue/totals.ts'
import type { UploadItem } from './queue/upload-item.ts'
import { type ListEvents, UploadList } from './queue/upload-list.ts'
import type { Service } from './service/service.ts'
import type { Announcer } from './view/announcer.ts'
import { ListSection } from './view/list-section.ts'
import type { Surroundings } from './view/status-line.ts'
import { showInTitle } from './view/tab-title.ts'

/** How often rows are drawn without progress, to remove a stale speed; and without frames; milliseconds. */
const REFRESH_EVERY = 1000
const DRAW_HIDDEN_EVERY = 250

/** What the attributes of the element say about files. Each use reads them again, because they change. */
export interface PanelOptions extends QueueOptions {
  /** Whether the title of the page shows the progress. */
  readonly ownsPage: boolean
  readonly hasList: boolean
}

/** What the panel reports to its element. */
export interface PanelEvents {
  happened(item: UploadItem, what: Happening): void
  removed(item: UploadItem): void
  /** The files as a whole have changed. */
  total(counts: Counts, isComplete: boolean): void
}

/** What the panel needs of the rest of its element. */
export interface Frame {
  readonly service: Service
  readonly language: Language
  readonly options: PanelOptions
  readonly events: PanelEvents
  readonly announcer: Announcer
  /** Draws everything. */
  draw(): void
  /** Shows how many files of a folder have been found so far; null when there is none to read. */
  reading(count: number | null): void
  /** Opens a dialogue for files. */
  chooseFiles(): void
  /** Focuses the drop zone. */
  focus(): void
}

/** The files of an element: their queue, and the list that shows them. It is loaded when there are some. */
export class FilesPanel implements ListEvents {
  readonly list: UploadList
  readonly #frame: Frame
  readonly #left: AbortSignal
  readonly #fileEvents = new FileEvents((item, what) => this.#happened(item, what))
  readonly #totals = new Totals()
  readonly #section: ListSection
  /** Items to draw; null for all. */
  #dirty: Set<UploadItem> | null = null
  #isDrawing = false

  /** Draws into `root`, before `next`, until `left` aborts. */
  constructor(root: ShadowRoot, next: Node, frame: Frame, left: AbortSignal) {
    addTexts(fileTexts)
    this.#frame = frame
    this.#left = left
    const { service, options, language, announcer } = frame
    const hasher = new Hasher(left)
    const context: Context = { service, options, digestOf: (file) => hasher.digestOf(file) }
    const around: Surroundings = {
      language,
      service,
      get isManual() {
        return options.isManual
      },
    }
    this.list = new UploadList(context, this, left)
    const host = {
      list: this.list,
      context,
      around,
      announcer,
      chooseFiles: () => frame.chooseFiles(),
      draw: () => frame.draw(),
      drawSoon: () => this.#changed(),
      focus: () => frame.focus(),
    }
    this.#section = new ListSection(root, next, host, left)
    this.#listen()
    this.list.sessionChanged()
  }

  /** Adds what files and folders there are among some sources, as they are found. */
  async read(sources: readonly Source[], add: (files: readonly ChosenFile[]) => Promise<void>): Promise<void> {
    let count = 0
    const hasFolder = await readSources(sources, (files) => {
      count += files.length
      this.#frame.reading(count)
      return add(files)
    })
    this.#frame.reading(null)
    if (hasFolder && count === 0) this.#frame.announcer.say(this.#frame.language.t('said.empty'))
  }

  /** Cancels an item. */
  async cancel(item: UploadItem): Promise<void> {
    await this.#section.act(item, 'cancel')
  }

  /** Cancels everything that is not finished. */
  cancelAll(): void {
    this.#section.command('cancel')
  }

  /** The session of the visitor, or the presence of the service, has changed. */
  serviceChanged(): void {
    this.#dirty = null
    this.list.sessionChanged()
    this.list.proceed()
  }

  /** Draws the list: what has changed, or all of it. */
  draw(isAll: boolean): void {
    const { options, events } = this.#frame
    const dirty = isAll ? null : this.#dirty
    this.#dirty = new Set()
    const total = this.#total()
    const isComplete = this.#section.draw(total, dirty, options.hasList)
    if (options.ownsPage) showInTitle(total.running > 0 ? percentOf(total.sent, total.size) : null)
    events.total(total, isComplete)
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
    this.#frame.events.removed(item)
    this.#changed()
  }

  alreadyPresent(item: UploadItem): void {
    const { announcer, language } = this.#frame
    announcer.say(language.t('said.present', { name: item.name }))
  }

  tooMany(most: number): void {
    const { announcer, language } = this.#frame
    announcer.say(language.t('said.too-many', { count: most }))
  }

  #listen(): void {
    const signal = this.#left
    const refresh = setInterval(() => this.#refresh(), REFRESH_EVERY)
    signal.addEventListener('abort', () => {
      clearInterval(refresh)
      if (this.#frame.options.ownsPage) showInTitle(null)
    })
    window.addEventListener('beforeunload', (event) => this.#total().running > 0 && event.preventDefault(), { signal })
    for (const type of ['online', 'offline']) window.addEventListener(type, () => this.#changed(), { signal })
  }

  #happened(item: UploadItem, what: Happening): void {
    if (what === 'finish') this.#section.finished(item)
    if (what === 'error' || what === 'reject') this.#section.failed(item)
    this.#frame.events.happened(item, what)
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
      this.#frame.draw()
    }
    const frame = requestAnimationFrame(draw)
    // A hidden tab has no frames, but a title.
    const timer = setTimeout(draw, DRAW_HIDDEN_EVERY)
  }

  #refresh(): void {
    if (this.list.items.some(({ state }) => state === 'uploading')) {
      this.#section.refresh()
      this.#changed()
    }
  }
}
