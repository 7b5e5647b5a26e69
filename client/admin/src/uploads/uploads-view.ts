import { announce } from '../../../src/announcer.ts'
import { element, setText } from '../../../src/dom.ts'
import { type Line, pageShape, type StatsShown } from '../api/answers.ts'
import { type Api, ApiError } from '../api/api.ts'
import { t } from '../i18n/language.ts'
import { Keyed } from '../keyed.ts'
import type { Update, UploadChange } from '../live.ts'
import { countText } from '../numbers.ts'
import { problemText } from '../problem-text.ts'
import { table } from '../table.ts'
import { texted } from '../texted.ts'
import type { View } from '../view.ts'
import { Filters } from './filters.ts'
import { type ListedUpload, UploadRow } from './upload-row.ts'

/** Uploads of a page. */
const PAGE_SIZE = 50

/** How long to wait while the service builds its index, in milliseconds. */
const ASK_AGAIN_AFTER = 1000

/**
 * The list of uploads. Rows follow the events in place. Other rows come only while nothing in the list is being read:
 * the pointer, the focus, and the selection are elsewhere, and its beginning is in sight. Otherwise a button shows them.
 */
export class UploadsView implements View {
  readonly #api: Api
  readonly #filters: Filters
  readonly #found = element('p', { class: 'found' })
  readonly #changes = element('button', {
    class: 'button strong',
    type: 'button',
    'data-testid': 'changes',
    hidden: '',
  })
  readonly #problem = element('p', { class: 'problem', role: 'alert' })
  readonly #empty = element('p', { class: 'empty', hidden: '' })
  readonly #table = table('list.title', [
    'list.name',
    'list.state',
    'list.owner',
    'list.size',
    'list.progress',
    'list.rate',
    'list.created',
  ])
  readonly #rows = new Keyed<ListedUpload>(
    this.#table.body,
    ({ line }) => line.id,
    () => new UploadRow(),
  )
  readonly #previous = element('button', { class: 'button', type: 'button' })
  readonly #next = element('button', { class: 'button', type: 'button' })
  readonly #page = element('span', {})
  readonly root: HTMLElement

  #shown: ListedUpload[] = []
  #total: number | null = null
  /** The cursors of the pages up to the one that is shown; the first page has none. */
  #cursors: (string | undefined)[] = [undefined]
  #after: string | null = null
  #waiting = new Set<string>()
  #isStale = false
  #loading: AbortController | undefined
  #again: ReturnType<typeof setTimeout> | undefined
  #stats: StatsShown | undefined

  constructor(api: Api) {
    this.#api = api
    this.#filters = new Filters(() => void this.#load([undefined]))
    this.#changes.addEventListener('click', () => void this.#showChanges())
    this.#previous.addEventListener('click', () => void this.#turn(this.#cursors.slice(0, -1)))
    this.#next.addEventListener('click', () => void this.#turn([...this.#cursors, this.#after ?? undefined]))
    this.root = element(
      'section',
      { class: 'uploads' },
      element('div', { class: 'head' }, texted('h1', 'list.title'), this.#found, this.#changes),
      this.#filters.root,
      this.#problem,
      element('div', { class: 'list card' }, this.#table.root, this.#empty),
      element('div', { class: 'pages' }, this.#previous, this.#page, this.#next),
    )
    this.translate()
    void this.#load([undefined])
  }

  update({ uploads, stats, isIncomplete }: Update): void {
    if (stats !== undefined) this.#stats = stats
    const known = new Set(this.#shown.map(({ line }) => line.id))
    const now = Date.now()
    this.#shown = this.#shown.map((shown) => {
      const change = uploads.get(shown.line.id)
      if (change === undefined) return shown
      return { line: change.upload, rate: change.rate, ratedAt: now, isGone: isGone(change) }
    })
    for (const [id, change] of uploads) {
      if (isGone(change)) this.#waiting.delete(id)
      else if (change.types.has('created') && !known.has(id)) this.#waiting.add(id)
    }
    if (isIncomplete || [...uploads.values()].some((change) => this.#changesList(change, known))) this.#isStale = true
    this.#render()
    const isIdle = !this.root.hidden && !this.#isBeingRead()
    if (this.#isStale && this.#isFirstPage && isIdle) void this.#load([undefined])
  }

  translate(): void {
    setText(this.#previous, t('list.previous'))
    setText(this.#next, t('list.next'))
    this.#render()
  }

  close(): void {
    clearTimeout(this.#again)
    this.#loading?.abort()
  }

  /** Focuses the row of an upload. Returns whether there is one. */
  focusRow(id: string): boolean {
    const row = this.#rows.get(id)
    if (!(row instanceof UploadRow)) return false
    row.focus()
    return true
  }

  /** Whether a change brings a row to this page, or takes one away. */
  #changesList(change: UploadChange, known: ReadonlySet<string>): boolean {
    const { types, upload } = change
    const isKnown = known.has(upload.id)
    if (isGone(change)) return isKnown
    if (!this.#isFirstPage || isKnown) return false
    const { state } = this.#filters
    // Uploads receive bytes all the time, also those of other pages.
    return state === '' || state === 'receiving' ? types.has('created') : state === upload.state
  }

  get #isFirstPage(): boolean {
    return this.#cursors.length === 1
  }

  #isBeingRead(): boolean {
    const { root } = this.#table
    if (this.#shown.length === 0) return false
    if (root.matches(':hover') || root.contains(document.activeElement)) return true
    const selection = document.getSelection()
    if (selection !== null && !selection.isCollapsed && root.contains(selection.anchorNode)) return true
    return root.getBoundingClientRect().top < 0
  }

  async #showChanges(): Promise<void> {
    await this.#load([undefined])
    // The button is gone: the focus goes to what it has shown.
    const first = this.#shown[0]
    if (first !== undefined) this.focusRow(first.line.id)
    announce(this.#foundText())
  }

  async #turn(cursors: (string | undefined)[]): Promise<void> {
    if (cursors.length === 0) return
    if (cursors.length > this.#cursors.length && this.#after === null) return
    if (!(await this.#load(cursors))) return
    this.root.scrollIntoView({ block: 'start' })
    announce(t('list.range', { page: this.#cursors.length }))
  }

  /** Loads the page of the last cursor. Returns whether that worked, and nothing newer was asked for. */
  async #load(cursors: (string | undefined)[]): Promise<boolean> {
    clearTimeout(this.#again)
    this.#loading?.abort()
    const mine = new AbortController()
    this.#loading = mine
    const hadFilters = this.#filters.isFiltered
    this.#isStale = false
    this.#waiting.clear()
    try {
      const query = { ...this.#filters.query(), limit: PAGE_SIZE, after: cursors.at(-1) }
      const page = await this.#api.get('uploads', pageShape, query, mine.signal)
      this.#cursors = cursors
      this.#after = page.next
      this.#total = page.total
      this.#show(page.uploads)
      setText(this.#problem, '')
      setText(this.#empty, t(hadFilters ? 'list.none' : 'list.empty'))
      this.#empty.hidden = page.uploads.length > 0
      return true
    } catch (error) {
      if (mine.signal.aborted) return false
      this.#showProblem(error)
      return false
    } finally {
      if (this.#loading === mine) this.#loading = undefined
    }
  }

  #showProblem(error: unknown): void {
    if (error instanceof ApiError && error.code === 'index_building') {
      setText(this.#problem, t('list.building', { percent: Math.floor((error.progress ?? 0) * 100) }))
      this.#again = setTimeout(() => void this.#load(this.#cursors), ASK_AGAIN_AFTER)
    } else {
      setText(this.#problem, problemText(error))
      // The next update tries again when the service was away.
      this.#isStale = error instanceof TypeError
    }
  }

  #show(lines: readonly Line[]): void {
    const before = new Map(this.#shown.map((shown) => [shown.line.id, shown]))
    this.#shown = lines.map((line) => ({ rate: 0, ratedAt: 0, ...before.get(line.id), line, isGone: false }))
    this.#render()
  }

  #render(): void {
    this.#rows.show(this.#shown)
    this.#filters.showCounts(this.#stats)
    this.#table.root.hidden = this.#shown.length === 0
    setText(this.#found, this.#foundText())
    const count = this.#filters.isFiltered ? 0 : this.#waiting.size
    // Once, not for each further one.
    if (this.#changes.hidden && this.#isStale && count > 0) announce(t('said.new', { count: countText(count) }))
    this.#changes.hidden = !this.#isStale
    setText(this.#changes, count > 0 ? t('list.changed-count', { count: countText(count) }) : t('list.changed'))
    setText(this.#page, t('list.range', { page: this.#cursors.length }))
    // A disabled button would lose the focus.
    this.#previous.setAttribute('aria-disabled', String(this.#isFirstPage))
    this.#next.setAttribute('aria-disabled', String(this.#after === null))
  }

  #foundText(): string {
    return this.#total === null ? '' : t('list.found', { count: countText(this.#total) })
  }
}

function isGone({ types }: UploadChange): boolean {
  return types.has('deleted') || types.has('expired')
}
