import { element, setText } from './dom.ts'
import { extensionOf, formatBytes, percentOf } from './format.ts'
import { locale } from './i18n/current-language.ts'
import { t } from './i18n/language.ts'
import { currentSession } from './session.ts'
import { figures, phaseShown, shareShown, stateText } from './status-line.ts'
import type { State, UploadItem } from './upload-item.ts'

const ACTIONS = ['choose', 'pause', 'resume', 'retry', 'cancel', 'forget'] as const
export type Action = (typeof ACTIONS)[number]

/** The actions for each state, in the order of the buttons. */
const AVAILABLE: Readonly<Record<State, readonly Action[]>> = {
  comparing: ['cancel'],
  waiting: ['pause', 'cancel'],
  uploading: ['pause', 'cancel'],
  paused: ['resume', 'cancel'],
  failed: ['retry', 'cancel'],
  finished: [],
  remembered: ['choose', 'forget'],
}

/** A row of the list: shows an item, and reports which action its user chose. */
export class RowView {
  readonly root: HTMLLIElement
  readonly #item: UploadItem
  readonly #tile = element('span', { class: 'tile', 'aria-hidden': 'true' })
  readonly #name = element('span', { class: 'name', dir: 'auto' })
  readonly #size = element('span', { class: 'size' })
  readonly #fill = element('span', { class: 'fill' })
  readonly #bar = element(
    'div',
    { class: 'bar', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' },
    this.#fill,
  )
  readonly #state = element('span', { class: 'state' })
  readonly #figures = element('span', { class: 'figures' })
  readonly #open = element('a', { class: 'button strong', 'data-testid': 'link', target: '_blank' })
  readonly #download = element('a', { class: 'button', 'data-testid': 'download' })
  readonly #buttons = new Map<Action, HTMLButtonElement>()

  constructor(item: UploadItem, act: (action: Action) => void) {
    this.#item = item
    for (const action of ACTIONS)
      this.#buttons.set(
        action,
        button(action, () => act(action)),
      )
    this.root = element(
      'li',
      { class: 'row', 'data-testid': 'row' },
      this.#tile,
      element('div', { class: 'title' }, this.#name, this.#size),
      this.#bar,
      element('p', { class: 'status' }, this.#state, this.#figures),
      element('div', { class: 'actions' }, this.#open, this.#download, ...this.#buttons.values()),
    )
    this.render()
  }

  /** Updates the row from its item, in the current language. */
  render(): void {
    const { name, size, state, cancelling } = this.#item
    this.root.dataset['state'] = state
    this.root.dataset['phase'] = phaseShown(this.#item)
    setText(this.#tile, state === 'finished' ? '✓' : extensionOf(name))
    setText(this.#name, name)
    this.#name.title = name
    setText(this.#size, formatBytes(size, locale()))
    setText(this.#state, stateText(this.#item))
    setText(this.#figures, figures(this.#item).join(' · '))
    this.root.toggleAttribute('aria-busy', cancelling)
    this.#renderBar()
    this.#renderActions()
  }

  /** Focuses the first visible control. Returns whether there is one. */
  focus(): boolean {
    const target = [this.#open, ...this.#buttons.values()].find((control) => !control.hidden)
    target?.focus()
    return target !== undefined
  }

  #renderBar(): void {
    const { name, state } = this.#item
    this.#bar.hidden = state === 'finished'
    this.#bar.setAttribute('aria-label', t('row.progress', { name }))
    const { part, whole } = shareShown(this.#item)
    if (part === null) this.#bar.removeAttribute('aria-valuenow')
    else this.#bar.setAttribute('aria-valuenow', String(percentOf(part, whole)))
    // Not rounded to percent: the bar of a large file must move visibly.
    this.#fill.style.transform = `scaleX(${whole === 0 ? 1 : (part ?? 0) / whole})`
  }

  #renderActions(): void {
    const focused = document.activeElement
    this.#renderLinks()
    const available = actionsOf(this.#item)
    for (const [action, control] of this.#buttons) {
      control.hidden = !available.includes(action)
      control.disabled = this.#item.cancelling
      label(control, t(`action.${action}`), this.#item.name)
    }
    // When the focused button disappears, the focus stays in the row.
    if (focused instanceof HTMLElement && focused.hidden && this.root.contains(focused)) this.focus()
  }

  #renderLinks(): void {
    const { name, link } = this.#item
    this.#open.hidden = link === null
    this.#download.hidden = link === null
    if (link !== null) {
      this.#download.href = link
      this.#open.href = `${link}${link.includes('?') ? '&' : '?'}inline=1`
    }
    this.#download.download = name
    label(this.#open, t('action.open'), name)
    label(this.#download, t('action.download'), name)
  }
}

/** The actions that make sense for an item, and that the service allows. */
function actionsOf({ state, phase, refused }: UploadItem): readonly Action[] {
  if (refused) return ['forget']
  const actions = state === 'uploading' && phase === 'scanning' ? (['cancel'] as const) : AVAILABLE[state]
  if (currentSession()?.deletes !== false) return actions
  return actions.map((action) => (action === 'cancel' ? 'forget' : action))
}

function button(action: Action, press: () => void): HTMLButtonElement {
  const created = element('button', { class: 'button', type: 'button', 'data-testid': action })
  if (action === 'resume' || action === 'retry' || action === 'choose') created.classList.add('strong')
  created.addEventListener('click', press)
  return created
}

/** Names the file in the label, because each row has a button with the same text. */
function label(control: HTMLElement, action: string, name: string): void {
  setText(control, action)
  control.setAttribute('aria-label', t('action.label', { action, name }))
}
