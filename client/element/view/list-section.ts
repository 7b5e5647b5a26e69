import { element } from '../../src/dom.ts'
import type { Context } from '../queue/options.ts'
import { ReadLink } from '../queue/read-link.ts'
import { Removals } from '../queue/removals.ts'
import type { Total } from '../queue/totals.ts'
import type { UploadItem } from '../queue/upload-item.ts'
import type { UploadList } from '../queue/upload-list.ts'
import rowStyles from '../styles/rows.css?inline'
import { sheetOf } from '../styles/style-sheet.ts'
import type { Announcer } from './announcer.ts'
import { type Command, HeadView } from './head-view.ts'
import { NoticeView } from './notice-view.ts'
import type { Action } from './row-view.ts'
import { RowsView } from './rows-view.ts'
import { Speaker } from './speaker.ts'
import type { Surroundings } from './status-line.ts'
import { removalText, UndoView } from './undo-view.ts'

/** What the section needs of its element. */
export interface Host {
  readonly list: UploadList
  readonly context: Context
  readonly around: Surroundings
  readonly announcer: Announcer
  /** Opens a dialogue for files. */
  chooseFiles(): void
  /** Draws everything now, or soon. */
  draw(): void
  drawSoon(): void
  /** Focuses the drop zone. */
  focus(): void
}

let sheet: CSSStyleSheet | undefined

/** The list with what belongs to it.  */
export class ListSection {
  readonly #host: Host
  readonly #section: HTMLElement
  readonly #waiting: NoticeView
  readonly #head: HeadView
  readonly #rows: RowsView
  readonly #undo: UndoView
  readonly #removals: Removals
  readonly #speaker: Speaker

  /** Appends itself to `root`, before `next`, until `left` aborts. */
  constructor(root: ShadowRoot, next: Node, host: Host, left: AbortSignal) {
    this.#host = host
    sheet ??= sheetOf(rowStyles)
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet]
    const { around, announcer, list, context } = host
    this.#speaker = new Speaker(announcer, around)
    this.#waiting = new NoticeView({ class: 'waiting', 'data-testid': 'waiting' }, 'again', () => this.#openAgain())
    this.#head = new HeadView(around, (command) => this.command(command))
    this.#rows = new RowsView(
      around,
      // Pictures are worth their code only when there are some.
      (item, tile) => {
        if (item.type.startsWith('image/')) {
          void import('./thumbnails.ts').then(({ showThumbnail }) => showThumbnail(item, tile))
        }
      },
      {
        act: (item, action) => void this.act(item, action),
        shown: (item, isShown) => this.#shown(item, isShown),
      },
      left,
    )
    this.#removals = new Removals(list, context, () => host.drawSoon(), left)
    this.#undo = new UndoView(
      () => this.#undoRemoval(),
      () => this.#dismiss(),
    )
    this.#section = element('section', { class: 'uploads' }, this.#head.root, this.#waiting.root, this.#rows.root)
    root.insertBefore(this.#section, next)
    root.insertBefore(this.#undo.root, next)
    const undo = (event: Event): void => {
      const isUndo = event instanceof KeyboardEvent && event.key === 'z' && (event.ctrlKey || event.metaKey)
      if (!isUndo || this.#removals.removal === null) return
      event.preventDefault()
      this.#undoRemoval()
    }
    root.addEventListener('keydown', undo, { signal: left })
  }

  /** Draws rows: `dirty` ones again, all of them if that is null. Returns whether the last file has just ended. */
  draw(total: Total, dirty: ReadonlySet<UploadItem> | null, isShown: boolean): boolean {
    const { list, around } = this.#host
    const { language } = around
    this.#section.hidden = list.items.length === 0 || !isShown
    this.#section.setAttribute('aria-label', language.t('list.label'))
    this.#head.render(total)
    this.#drawWaiting(total)
    if (!this.#section.hidden) this.#rows.render(list.items, dirty)
    this.#undo.render(this.#removals.removal, language)
    return this.#speaker.total(total)
  }

  /** Draws figures again that age. */
  refresh(): void {
    this.#rows.refresh()
  }

  /** Says why an item has failed. */
  failed(item: UploadItem): void {
    this.#speaker.failed(item)
  }

  /** A finished item whose row is there gets a link. */
  finished(item: UploadItem): void {
    if (this.#rows.has(item)) this.#shown(item, true)
  }

  /** Does to an item what its user has chosen. */
  async act(item: UploadItem, action: Action): Promise<void> {
    const { list, announcer, around } = this.#host
    if (action === 'choose') this.#host.chooseFiles()
    if (action === 'pause') item.pause()
    if (action === 'resume' || action === 'retry') await list.resume(item)
    if (action === 'copy') await this.#copy(item)
    if (action === 'cancel' || action === 'delete') this.#remove([item])
    if (action === 'forget') {
      this.#keepingFocus(() => list.forget(item))
      announcer.say(around.language.t('said.forgotten', { name: item.name }))
    }
    if (action === 'pause' || action === 'resume') this.#speaker.state(item)
  }

  /** Does something to all items that it makes sense for. */
  command(command: Command): void {
    const { list } = this.#host
    if (command === 'pause') list.pauseAll()
    else if (command === 'retry') list.retryAll()
    else if (command === 'cancel') this.#cancelAll()
    else if (command === 'clear') this.#keepingFocus(() => list.clearFinished())
    else void list.resumeAll()
  }

  #cancelAll(): void {
    const { list, context } = this.#host
    const items = list.items.filter(({ state, refused }) => state !== 'finished' && !refused)
    if (context.service.visitor.session?.deletes !== 'none') this.#remove(items)
    else this.#keepingFocus(() => list.forgetAll(items))
  }

  #drawWaiting({ askable, lacking }: Total): void {
    const { language } = this.#host.around
    if (askable > 0) {
      this.#waiting.render(language.t('notice.ask', { count: askable }), language.t('list.resume'))
    } else if (lacking > 1) {
      this.#waiting.render(language.t('notice.gone', { count: lacking }), language.t('list.choose'))
    } else this.#waiting.render(null, null)
  }

  /** Opens the files of an earlier visit, or lets the visitor choose them. */
  #openAgain(): void {
    const { list } = this.#host
    const canOpen = list.items.some(({ state, handle }) => state === 'remembered' && handle !== null)
    if (canOpen) void list.resumeAll()
    else this.#host.chooseFiles()
  }

  async #copy({ name, link }: UploadItem): Promise<void> {
    const { announcer, around } = this.#host
    try {
      await navigator.clipboard.writeText(new URL(link ?? '', location.href).href)
      announcer.say(around.language.t('said.copied', { name }))
    } catch {
      announcer.say(around.language.t('said.not-copied'))
    }
  }

  #remove(items: readonly UploadItem[]): void {
    if (items.length === 0) return
    this.#keepingFocus(() => this.#removals.remove(items))
    const { removal } = this.#removals
    if (removal !== null) this.#host.announcer.say(removalText(removal, this.#host.around.language))
  }

  #undoRemoval(): void {
    const [first] = this.#removals.removal?.items ?? []
    this.#removals.undo()
    this.#host.draw()
    if (first !== undefined) this.#rows.focus(this.#host.list.items.indexOf(first))
  }

  #dismiss(): void {
    this.#removals.settle()
    this.#host.draw()
    this.#focusSomewhere(0)
  }

  /** Removes rows; the focus of a removed one goes to the row that takes its place. */
  #keepingFocus(remove: () => void): void {
    const hadFocus = this.#section.contains(activeIn(this.#section))
    const focused = this.#rows.focused()
    remove()
    this.#host.draw()
    if (!hadFocus || isVisible(activeIn(this.#section))) return
    this.#focusSomewhere(focused?.place ?? 0, focused?.name)
  }

  #focusSomewhere(place: number, name?: string): void {
    if (this.#section.hidden || !this.#rows.focus(place, name)) this.#host.focus()
  }

  #shown(item: UploadItem, isShown: boolean): void {
    const { url, lacksLink } = item
    if (!isShown) item.dropLink()
    else if (lacksLink && url !== null) {
      const { list, context } = this.#host
      const changed = (): void => list.changed(item)
      item.keepLink(new ReadLink(url, context.service, changed, () => list.forget(item)))
    }
  }
}

function activeIn(target: Node): Element | null {
  const root = target.getRootNode()
  return root instanceof ShadowRoot ? root.activeElement : null
}

function isVisible(target: Element | null): boolean {
  return target?.isConnected === true && target.checkVisibility()
}
