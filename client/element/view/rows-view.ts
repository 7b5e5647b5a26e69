import { element } from '../../src/dom.ts'
import type { UploadItem } from '../queue/upload-item.ts'
import { type Action, RowView, type ShowThumbnail } from './row-view.ts'
import type { Surroundings } from './status-line.ts'

/** From this number of files on, rows are low, and only those in view exist. */
const DENSE_FROM = 13

/** Rows beyond the edges that exist, too: scrolling shows them at once, and the tabulator reaches them. */
const OVERSCAN = 6

/** Height of a dense row before the first one is measured, in pixels. */
const ASSUMED_HEIGHT = 56

/** Callbacks of the rows. */
export interface RowEvents {
  act(item: UploadItem, action: Action): void
  /** The row of an item is there, or is gone. */
  shown(item: UploadItem, isShown: boolean): void
}

/** The rows of a list; of many files, only those in view. */
export class RowsView {
  readonly root: HTMLElement
  readonly #list = element('ul', { class: 'rows', part: 'list' })
  readonly #around: Surroundings
  readonly #events: RowEvents
  readonly #thumbnail: ShowThumbnail
  readonly #rows = new Map<UploadItem, RowView>()
  #items: readonly UploadItem[] = []
  #height = ASSUMED_HEIGHT

  constructor(around: Surroundings, thumbnail: ShowThumbnail, events: RowEvents, left: AbortSignal) {
    this.#around = around
    this.#thumbnail = thumbnail
    this.#events = events
    this.root = element('div', { class: 'scroller' }, this.#list)
    this.root.addEventListener('scroll', () => this.#place(), { signal: left, passive: true })
    this.#list.addEventListener('keydown', (event) => this.#move(event), { signal: left })
    const observer = new ResizeObserver(() => this.#place())
    observer.observe(this.root)
    left.addEventListener('abort', () => observer.disconnect())
  }

  /** Shows these items: `dirty` ones are drawn again, all of them if that is null. */
  render(items: readonly UploadItem[], dirty: ReadonlySet<UploadItem> | null): void {
    this.#items = items
    this.root.classList.toggle('dense', this.#isDense)
    this.root.toggleAttribute('tabindex', false)
    if (this.#isDense) this.root.tabIndex = 0
    this.#place()
    for (const [item, row] of this.#rows) if (dirty === null || dirty.has(item)) row.render()
  }

  /** Draws the rows again whose figures age. */
  refresh(): void {
    for (const [item, row] of this.#rows) if (item.state === 'uploading') row.render()
  }

  /** Whether the row of an item is there. */
  has(item: UploadItem): boolean {
    return this.#rows.has(item)
  }

  /** The place of the row that has the focus, and the control. */
  focused(): { readonly place: number; readonly name: string | undefined } | null {
    const active = this.#active
    for (const [item, row] of this.#rows) {
      if (row.root.contains(active)) return { place: this.#items.indexOf(item), name: row.focused(active) }
    }
    return null
  }

  /** Focuses a control of the row at a place, or of the last one. Returns whether there is one. */
  focus(place: number, name?: string): boolean {
    const item = this.#items[Math.min(place, this.#items.length - 1)]
    if (item === undefined) return false
    this.#reveal(this.#items.indexOf(item))
    return this.#rows.get(item)?.focus(name) ?? false
  }

  get #isDense(): boolean {
    return this.#items.length >= DENSE_FROM
  }

  get #active(): Element | null {
    const root = this.root.getRootNode()
    return root instanceof ShadowRoot ? root.activeElement : null
  }

  /** Creates the rows in view, and removes the others. */
  #place(): void {
    const { start, end } = this.#range()
    const wanted = this.#items.slice(start, end)
    const kept = new Set(wanted)
    const active = this.#active
    for (const [item, row] of this.#rows) {
      if (kept.has(item)) continue
      // The focus must not fall out of the list with its row.
      if (row.root.contains(active) && this.#items.includes(item)) this.root.focus()
      row.root.remove()
      this.#rows.delete(item)
      this.#events.shown(item, false)
    }
    let next = this.#list.firstElementChild
    for (const [i, item] of wanted.entries()) {
      const row = this.#rows.get(item) ?? this.#create(item)
      if (row.root === next) next = next.nextElementSibling
      else this.#list.insertBefore(row.root, next)
      if (this.#isDense) {
        row.root.setAttribute('aria-posinset', String(start + i + 1))
        row.root.setAttribute('aria-setsize', String(this.#items.length))
      } else {
        row.root.removeAttribute('aria-posinset')
        row.root.removeAttribute('aria-setsize')
      }
    }
    this.#measure()
    const { style } = this.#list
    style.paddingBlockStart = this.#isDense ? `${start * this.#height}px` : ''
    style.paddingBlockEnd = this.#isDense ? `${(this.#items.length - end) * this.#height}px` : ''
  }

  #create(item: UploadItem): RowView {
    const row = new RowView(item, this.#around, this.#thumbnail, (action) => this.#events.act(item, action))
    this.#rows.set(item, row)
    this.#events.shown(item, true)
    return row
  }

  #range(): { readonly start: number; readonly end: number } {
    const { length } = this.#items
    if (!this.#isDense) return { start: 0, end: length }
    const visible = Math.ceil((this.root.clientHeight || 640) / this.#height) + 2 * OVERSCAN
    const first = Math.floor(this.root.scrollTop / this.#height) - OVERSCAN
    const start = Math.max(0, Math.min(first, length - visible))
    return { start, end: Math.min(length, start + visible) }
  }

  /** Takes the height of the first row: the width of the element and the font decide about it. */
  #measure(): void {
    const first = this.#list.firstElementChild
    if (!this.#isDense || !(first instanceof HTMLElement) || first.offsetHeight === 0) return
    this.#height = first.offsetHeight
  }

  #reveal(place: number): void {
    if (!this.#isDense) return
    const { scrollTop, clientHeight } = this.root
    const top = place * this.#height
    if (top < scrollTop) this.root.scrollTop = top
    else if (top + this.#height > scrollTop + clientHeight) this.root.scrollTop = top + this.#height - clientHeight
    this.#place()
  }

  /** The arrow keys move the focus to the same control of another row. */
  #move(event: KeyboardEvent): void {
    const from = this.focused()
    if (from === null || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
    const page = Math.max(1, Math.floor(this.root.clientHeight / this.#height) - 1)
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: this.#isDense ? page : 0,
      PageUp: this.#isDense ? -page : 0,
      Home: -from.place,
      End: this.#items.length - 1 - from.place,
    }
    const step = steps[event.key] ?? 0
    if (step === 0) return
    event.preventDefault()
    this.focus(Math.max(0, from.place + step), from.name)
  }
}
