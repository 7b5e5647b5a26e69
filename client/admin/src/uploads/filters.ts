import { element } from '../../../src/dom.ts'
import { STATES, type StatsShown } from '../api/answers.ts'
import type { Query } from '../api/api.ts'
import type { TextKey } from '../i18n/en.ts'
import { t } from '../i18n/language.ts'
import { countText } from '../numbers.ts'
import { field, labelled, menu } from '../texted.ts'

const HOUR = 60 * 60 * 1000
const DAY = 24 * HOUR

/** How long typing must pause before a search begins, in milliseconds. */
const TYPING_PAUSE = 250

const SEARCHES = {
  nameContains: 'list.by.nameContains',
  namePrefix: 'list.by.namePrefix',
  idPrefix: 'list.by.idPrefix',
  task: 'list.by.task',
  owner: 'list.by.owner',
} as const satisfies Readonly<Record<string, TextKey>>

/** The ages to choose from: created before or after a time that is so many milliseconds ago. */
const AGES: Readonly<Record<string, { readonly text: TextKey; readonly side?: string; readonly ago?: number }>> = {
  any: { text: 'list.age.any' },
  hour: { text: 'list.age.hour', side: 'newerThan', ago: HOUR },
  day: { text: 'list.age.day', side: 'newerThan', ago: DAY },
  oldDay: { text: 'list.age.old-day', side: 'olderThan', ago: DAY },
  oldWeek: { text: 'list.age.old-week', side: 'olderThan', ago: 7 * DAY },
}

const SORTS = {
  'age-desc': 'list.sort.age-desc',
  'age-asc': 'list.sort.age-asc',
  'name-asc': 'list.sort.name-asc',
  'name-desc': 'list.sort.name-desc',
  'size-desc': 'list.sort.size-desc',
  'size-asc': 'list.sort.size-asc',
  'state-asc': 'list.sort.state-asc',
  'state-desc': 'list.sort.state-desc',
  'owner-asc': 'list.sort.owner-asc',
  'owner-desc': 'list.sort.owner-desc',
} as const satisfies Readonly<Record<string, TextKey>>

/** What the list shows, and in which order, as the administrator chooses. */
export class Filters {
  readonly #states = element('fieldset', { class: 'states', ...labelled('list.states') })
  readonly #chips = new Map<string, HTMLButtonElement>()
  readonly #text = element('input', { type: 'search', maxlength: '255', autocomplete: 'off', spellcheck: 'false' })
  readonly #by = menu(SEARCHES, 'nameContains')
  readonly #age = menu(Object.fromEntries(Object.entries(AGES).map(([age, { text }]) => [age, text])), 'any')
  readonly #sort = menu(SORTS, 'age-desc')
  readonly root = element(
    'div',
    { class: 'filters' },
    this.#states,
    element(
      'search',
      { class: 'fields' },
      field('list.search', this.#text),
      field('list.search-by', this.#by),
      field('list.age', this.#age),
      field('list.sort', this.#sort),
    ),
  )
  #state = ''
  #typing: ReturnType<typeof setTimeout> | undefined

  /** @param changed is called after each choice. */
  constructor(changed: () => void) {
    for (const state of ['', ...STATES]) {
      const chip = element('button', { type: 'button', 'data-filter': state })
      chip.addEventListener('click', () => {
        this.#state = state
        this.#showStates()
        changed()
      })
      this.#chips.set(state, chip)
      this.#states.append(chip)
    }
    this.#text.addEventListener('input', () => {
      clearTimeout(this.#typing)
      this.#typing = setTimeout(changed, TYPING_PAUSE)
    })
    this.#by.addEventListener('change', () => {
      if (this.#text.value !== '') changed()
    })
    for (const select of [this.#age, this.#sort]) select.addEventListener('change', changed)
    this.showCounts(undefined)
  }

  /** The state that is shown; empty for all. */
  get state(): string {
    return this.#state
  }

  /** Whether uploads may exist that are not in the list. */
  get isFiltered(): boolean {
    return this.#state !== '' || this.#text.value.trim() !== '' || this.#age.value !== 'any'
  }

  query(): Query {
    const [sort = 'age', order = 'desc'] = this.#sort.value.split('-')
    const { side, ago = 0 } = AGES[this.#age.value] ?? {}
    return {
      state: this.#state,
      [this.#by.value]: this.#text.value.trim(),
      ...(side !== undefined && { [side]: new Date(Date.now() - ago).toISOString() }),
      sort,
      order,
    }
  }

  /** Shows how many uploads are in each state; without totals, only the states. */
  showCounts(stats: StatsShown | undefined): void {
    for (const [state, chip] of this.#chips) {
      const name = t(state === '' ? 'state.all' : `state.${STATES.find((found) => found === state) ?? 'receiving'}`)
      const sum = state === '' ? stats?.total : stats?.uploads[STATES.find((found) => found === state) ?? 'receiving']
      const count = sum === undefined ? '' : countText(sum.count)
      const text = t('list.state-count', { state: name, count }).trim()
      if (chip.textContent !== text) chip.textContent = text
    }
    this.#showStates()
  }

  #showStates(): void {
    for (const [state, chip] of this.#chips) chip.setAttribute('aria-pressed', String(state === this.#state))
  }
}
