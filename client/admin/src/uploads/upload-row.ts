import { element, setText } from '../../../src/dom.ts'
import { percentOf } from '../../../src/format.ts'
import type { Line } from '../api/answers.ts'
import { t } from '../i18n/language.ts'
import type { Shown } from '../keyed.ts'
import { rateText, sizeText } from '../numbers.ts'
import { routeOf } from '../routes.ts'
import { cell } from '../table.ts'
import { showAge } from '../times.ts'

/** How long a rate counts without a new event, in milliseconds. */
const RATE_LASTS = 3000

/** An upload with what only events say about it. */
export interface ListedUpload {
  readonly line: Line
  readonly rate: number
  /** When the rate was reported, in milliseconds since 1970. */
  readonly ratedAt: number
  readonly isGone: boolean
}

/** The name of an upload for people. */
export function nameOf({ name }: Pick<Line, 'name'>): string {
  return name === '' ? t('list.unnamed') : name
}

/** A bar for the share of an upload that has been received. */
export class ProgressBar {
  readonly #fill = element('span', { class: 'fill' })
  readonly root = element(
    'div',
    { class: 'bar', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' },
    this.#fill,
  )

  update({ received, size }: Pick<Line, 'received' | 'size'>, name: string): void {
    this.root.setAttribute('aria-label', t('list.progress-of', { name }))
    if (size === null) this.root.removeAttribute('aria-valuenow')
    else this.root.setAttribute('aria-valuenow', String(percentOf(received, size)))
    const share = size === null ? 0 : size === 0 ? 1 : received / size
    this.#fill.style.transform = `scaleX(${share})`
  }
}

/** A row of the list. Its roles are explicit: browsers drop those of a table that is laid out as cards. */
export class UploadRow implements Shown<ListedUpload> {
  readonly #link = element('a', { class: 'name', dir: 'auto' })
  readonly #below = element('span', { class: 'below' })
  readonly #state = element('span', { class: 'state' })
  readonly #owner = cell('list.owner', 'owner')
  readonly #size = cell('list.size', 'size')
  readonly #bar = new ProgressBar()
  readonly #share = element('span', { class: 'share' })
  readonly #rate = cell('list.rate', 'rate')
  readonly #age = element('time')
  readonly root = element(
    'tr',
    { role: 'row', 'data-testid': 'upload' },
    cell('list.name', 'title', this.#link, this.#below),
    cell('list.state', 'status', this.#state),
    this.#owner,
    this.#size,
    cell('list.progress', 'progress', this.#bar.root, this.#share),
    this.#rate,
    cell('list.created', 'age', this.#age),
  )

  update({ line, rate, ratedAt, isGone }: ListedUpload): void {
    const name = nameOf(line)
    this.root.dataset['state'] = isGone ? 'gone' : line.state
    this.#link.href = routeOf('uploads', line.id)
    this.#link.title = name
    setText(this.#link, name)
    setText(this.#below, line.taskId ?? line.id)
    setText(this.#state, t(isGone ? 'state.gone' : `state.${line.state}`))
    setText(this.#owner, line.owner === null ? t('list.anonymous') : line.owner.slice(0, 8))
    this.#owner.title = line.owner ?? ''
    setText(this.#size, line.size === null ? '–' : sizeText(line.size))
    this.#bar.update(line, name)
    setText(this.#share, shareText(line))
    setText(this.#rate, rate > 0 && Date.now() - ratedAt < RATE_LASTS ? rateText(rate) : '–')
    showAge(this.#age, line.createdAt)
  }

  /** Focuses the name. */
  focus(): void {
    this.#link.focus()
  }
}

function shareText({ received, size }: Line): string {
  return size === null ? sizeText(received) : `${percentOf(received, size)}%`
}
