import { element, setText } from '../../src/dom.ts'
import { percentOf } from '../../src/format.ts'
import type { Total } from '../queue/totals.ts'
import { textButton } from './button.ts'
import type { Surroundings } from './status-line.ts'

const COMMANDS = ['start', 'resume', 'retry', 'pause', 'cancel', 'clear'] as const
export type Command = (typeof COMMANDS)[number]

/** What stands above the rows: how far all files are, and buttons for all of them. */
export class HeadView {
  readonly root: HTMLElement
  readonly #around: Surroundings
  readonly #summary = element('p', { class: 'summary', id: 'summary' })
  readonly #figures = element('p', { class: 'figures', 'data-testid': 'total' })
  readonly #fill = element('span', { class: 'fill' })
  readonly #bar = element(
    'div',
    { class: 'bar', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100', 'data-testid': 'total-bar' },
    this.#fill,
  )
  readonly #buttons = new Map<Command, HTMLButtonElement>()

  constructor(around: Surroundings, command: (name: Command) => void) {
    this.#around = around
    for (const name of COMMANDS) {
      const testId = name === 'clear' ? name : `${name}-all`
      this.#buttons.set(
        name,
        textButton(testId, testId, () => command(name)),
      )
    }
    const buttons = element('div', { class: 'head-actions' }, ...this.#buttons.values())
    this.root = element('div', { class: 'head' }, this.#summary, buttons, this.#bar, this.#figures)
  }

  render(total: Total): void {
    const { language, isManual } = this.#around
    const { all, finished, failed } = total
    const summary = [language.t('list.summary', { done: finished, all })]
    if (failed > 0) summary.push(language.t('list.failed', { count: failed }))
    setText(this.#summary, summary.join(' · '))
    this.#renderProgress(total)
    const isShown: Readonly<Record<Command, boolean>> = {
      start: isManual && total.paused > 0,
      resume: !isManual && (total.paused > 1 || total.askable > 1),
      retry: failed > 1,
      pause: total.running > 1,
      cancel: total.running + total.paused > 1,
      clear: finished > 0,
    }
    for (const [name, button] of this.#buttons) {
      setText(button, language.t(`list.${name}`))
      button.hidden = !isShown[name]
    }
  }

  /** The button that a command has, for the focus. */
  focus(): boolean {
    const button = [...this.#buttons.values()].find(({ hidden }) => !hidden)
    button?.focus()
    return button !== undefined
  }

  #renderProgress({ files, running, sent, size, rate }: Total): void {
    const { language } = this.#around
    const isShown = files > 1 && running > 0
    this.#bar.hidden = !isShown
    this.#figures.hidden = !isShown
    if (!isShown) return
    const percent = percentOf(sent, size)
    const shown = [
      language.t('row.percent', { percent }),
      language.t('row.of', { part: { bytes: sent }, whole: { bytes: size } }),
    ]
    if (rate !== null && sent < size) {
      shown.push(language.t('row.rate', { size: { bytes: rate } }))
      shown.push(language.t('row.left', { time: language.duration((size - sent) / rate) }))
    }
    setText(this.#figures, shown.join(' · '))
    this.#bar.setAttribute('aria-label', language.t('list.progress'))
    this.#bar.setAttribute('aria-valuenow', String(percent))
    this.#bar.setAttribute('aria-valuetext', shown.join(' '))
    this.#fill.style.transform = `scaleX(${size === 0 ? 1 : sent / size})`
  }
}
