import { element, setText } from '../../src/dom.ts'
import { extensionOf, percentOf } from '../../src/format.ts'
import type { State, UploadItem } from '../queue/upload-item.ts'
import { iconControl, setLabel } from './icon-control.ts'
import { type IconName, icon } from './icons.ts'
import { figures, phaseShown, type Surroundings, shareShown, stateText } from './status-line.ts'

const ACTIONS = ['choose', 'resume', 'retry', 'pause', 'copy', 'cancel', 'delete', 'forget'] as const
export type Action = (typeof ACTIONS)[number]

/** The actions for each state. */
const AVAILABLE: Readonly<Record<State, readonly Action[]>> = {
  comparing: ['forget'],
  waiting: ['pause', 'cancel'],
  uploading: ['pause', 'cancel'],
  paused: ['resume', 'cancel'],
  failed: ['retry', 'cancel'],
  finished: ['copy', 'delete'],
  remembered: ['choose', 'forget'],
}

/** Shows a small picture of a file in its tile, if it is one. */
export type ShowThumbnail = (item: UploadItem, tile: HTMLElement) => void

/** A row of the list: shows an item, and reports which action its user chose. */
export class RowView {
  readonly root: HTMLLIElement
  readonly item: UploadItem
  readonly #around: Surroundings
  readonly #thumbnail: ShowThumbnail
  readonly #tile = element('span', { class: 'tile', 'aria-hidden': 'true' })
  readonly #name = element('span', { class: 'name', part: 'name', dir: 'auto' })
  readonly #path = element('span', { class: 'path', dir: 'auto' })
  readonly #size = element('span', { class: 'size', part: 'size' })
  readonly #fill = element('span', { class: 'fill', part: 'bar' })
  readonly #bar = element(
    'div',
    { class: 'bar', part: 'progress', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' },
    this.#fill,
  )
  readonly #state = element('span', { class: 'state' })
  readonly #figures = element('span', { class: 'figures' })
  readonly #open = iconControl('a', 'open', { 'data-testid': 'link', target: '_blank' })
  readonly #download = iconControl('a', 'download')
  readonly #buttons = new Map<Action, HTMLButtonElement>()
  #askedPicture = false

  constructor(item: UploadItem, around: Surroundings, thumbnail: ShowThumbnail, act: (action: Action) => void) {
    this.item = item
    this.#around = around
    this.#thumbnail = thumbnail
    for (const action of ACTIONS) {
      const control = iconControl('button', action satisfies IconName, { type: 'button' })
      control.addEventListener('click', () => act(action))
      this.#buttons.set(action, control)
    }
    this.root = element(
      'li',
      { class: 'row', part: 'item', 'data-testid': 'row' },
      this.#tile,
      element('div', { class: 'title' }, this.#name, this.#path, this.#size),
      this.#bar,
      element(
        'p',
        { class: 'status', part: 'status' },
        this.#state,
        this.#figures,
        // What the page adds to this file.
        element('slot', { name: `item-${item.id}` }),
      ),
      element('div', { class: 'actions' }, this.#open, this.#download, ...this.#buttons.values()),
    )
    this.render()
  }

  /** Updates the row from its item, in the current language. */
  render(): void {
    const { item } = this
    const { language, service } = this.#around
    this.root.dataset['state'] = item.state
    this.root.dataset['phase'] = phaseShown(item, service)
    this.#renderTile()
    setText(this.#name, item.name)
    const folder = item.path.slice(0, Math.max(0, item.path.lastIndexOf('/')))
    this.#name.title = item.path === '' ? item.name : item.path
    setText(this.#path, folder)
    setText(this.#size, language.bytes(item.size))
    setText(this.#state, stateText(item, this.#around))
    this.#state.setAttribute('part', item.state === 'failed' ? 'error' : 'state')
    setText(this.#figures, figures(item, this.#around).join(' · '))
    this.#renderBar()
    this.#renderActions()
  }

  /** Focuses a control of the row: that of an action, or the first visible one. Returns whether there is one. */
  focus(name?: string): boolean {
    const visible = this.#controls().filter((control) => control.checkVisibility())
    const target = visible.find((control) => control.dataset['testid'] === name) ?? visible[0]
    target?.focus()
    return target !== undefined
  }

  /** The name of the control that has the focus. */
  focused(active: Element | null): string | undefined {
    return this.#controls().find((control) => control === active)?.dataset['testid']
  }

  #controls(): HTMLElement[] {
    return [this.#open, this.#download, ...this.#buttons.values()]
  }

  #renderTile(): void {
    const isFinished = this.item.state === 'finished'
    this.#tile.classList.toggle('done', isFinished)
    const hasPicture = this.#tile.querySelector('canvas') !== null
    if (!hasPicture) {
      if (!isFinished) setText(this.#tile, extensionOf(this.item.name))
      else if (this.#tile.querySelector('svg') === null) this.#tile.replaceChildren(icon('check'))
    }
    if (!hasPicture && !this.#askedPicture) {
      this.#askedPicture = true
      this.#thumbnail(this.item, this.#tile)
    }
  }

  #renderBar(): void {
    const { item } = this
    this.#bar.hidden = item.state === 'finished' || item.refused
    setAttribute(this.#bar, 'aria-label', this.#around.language.t('row.progress', { name: item.name }))
    const { part, whole } = shareShown(item)
    if (part === null) this.#bar.removeAttribute('aria-valuenow')
    else setAttribute(this.#bar, 'aria-valuenow', String(percentOf(part, whole)))
    setAttribute(this.#bar, 'aria-valuetext', [this.#state.textContent, this.#figures.textContent].join(' '))
    // Not rounded to percent: the bar of a large file must move visibly.
    this.#fill.style.transform = `scaleX(${whole === 0 ? 1 : (part ?? 0) / whole})`
  }

  #renderActions(): void {
    const root = this.root.getRootNode()
    const active = root instanceof ShadowRoot ? root.activeElement : null
    const { language } = this.#around
    const { name } = this.item
    this.#renderLinks()
    const available = actionsOf(this.item, this.#around)
    for (const [action, control] of this.#buttons) {
      control.hidden = !available.includes(action)
      if (!control.hidden) {
        const text = language.t(`action.${action}`)
        setLabel(control, text, language.t('action.label', { action: text, name }))
      }
    }
    // When the focused button disappears, the focus stays in the row.
    if (active instanceof HTMLElement && active.hidden && this.root.contains(active)) this.focus()
  }

  #renderLinks(): void {
    const { name, link } = this.item
    const { language } = this.#around
    this.#open.hidden = link === null
    this.#download.hidden = link === null
    if (link === null) return
    this.#download.href = link
    this.#open.href = `${link}${link.includes('?') ? '&' : '?'}inline=1`
    this.#download.download = name
    for (const [control, action] of [
      [this.#open, language.t('action.open')],
      [this.#download, language.t('action.download')],
    ] as const) {
      setLabel(control, action, language.t('action.label', { action, name }))
    }
  }
}

/** The actions that make sense for an item, and that the service allows. */
export function actionsOf(item: UploadItem, { service }: Surroundings): readonly Action[] {
  const { state, phase, refused } = item
  if (refused) return ['forget']
  const deletes = service.visitor.session?.deletes ?? 'all'
  const isScanning = state === 'uploading' && phase === 'scanning'
  const possible = isScanning ? (['cancel'] as const) : AVAILABLE[state]
  return possible.flatMap((action): Action[] => {
    if (action === 'choose' && item.handle !== null) return ['resume']
    if (action === 'retry' && item.lacksFile) return ['choose']
    if (action === 'copy' && item.link === null) return []
    if (action === 'cancel' && deletes === 'none') return ['forget']
    if (action === 'delete' && deletes !== 'all') return ['forget']
    return [action]
  })
}

function setAttribute(target: Element, name: string, value: string): void {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value)
}
