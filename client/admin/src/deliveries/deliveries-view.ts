import { announce } from '../../../src/announcer.ts'
import { element, setText } from '../../../src/dom.ts'
import { type DeadLetter, deadLettersShape } from '../api/answers.ts'
import type { Api } from '../api/api.ts'
import { confirmed } from '../confirm.ts'
import { t } from '../i18n/language.ts'
import { Keyed, type Shown } from '../keyed.ts'
import type { Update } from '../live.ts'
import { countText } from '../numbers.ts'
import { problemText } from '../problem-text.ts'
import { routeOf } from '../routes.ts'
import { cell, table } from '../table.ts'
import { pressable, texted } from '../texted.ts'
import { showAge } from '../times.ts'
import { focusHeading, type View } from '../view.ts'

const PAGE_SIZE = 50

/** Webhooks that were given up, with their retry and their end. */
export class DeliveriesView implements View {
  readonly #api: Api
  readonly #count = element('p', { class: 'found' })
  readonly #problem = element('p', { class: 'problem', role: 'alert' })
  readonly #none = element('p', { class: 'hint' })
  readonly #table = table('dead.title', [
    'dead.event',
    'dead.upload',
    'dead.endpoint',
    'dead.at',
    'dead.why',
    'dead.actions',
  ])
  readonly #rows: Keyed<DeadLetter>
  readonly #more: HTMLButtonElement
  readonly root: HTMLElement
  #letters: DeadLetter[] = []
  #next: string | null = null
  #total = 0
  #hasEndpoints = true
  #isLoaded = false

  constructor(api: Api) {
    this.#api = api
    this.#rows = new Keyed(
      this.#table.body,
      ({ id }) => id,
      () => new LetterRow((letter, action) => void this.#act(letter, action)),
    )
    this.#more = pressable('action.more', () => void this.#load(this.#next ?? undefined))
    this.root = element(
      'section',
      {},
      element('div', { class: 'head' }, texted('h1', 'dead.title'), this.#count),
      texted('p', 'dead.hint', { class: 'hint' }),
      this.#problem,
      element('div', { class: 'card' }, this.#table.root, this.#none),
      element('div', { class: 'pages' }, this.#more),
    )
    this.translate()
    void this.#load(undefined)
  }

  update({ stats }: Update): void {
    if (stats === undefined) return
    this.#hasEndpoints = stats.webhooks.endpoints > 0
    // Rows of further pages stay: the first page is enough to see that there are others.
    if (stats.webhooks.deadLetters !== this.#total && this.#letters.length <= PAGE_SIZE) void this.#load(undefined)
    this.translate()
  }

  translate(): void {
    this.#rows.show(this.#letters)
    this.#table.root.hidden = this.#letters.length === 0
    this.#more.hidden = this.#next === null
    this.#none.hidden = !this.#isLoaded || this.#letters.length > 0
    setText(this.#none, t(this.#hasEndpoints ? 'dead.none' : 'dead.no-endpoints'))
    setText(this.#count, this.#total === 0 ? '' : t('dead.count', { count: countText(this.#total) }))
  }

  close(): void {
    // Nothing runs in the background.
  }

  /** Loads the first page, or the one after a cursor. */
  async #load(after: string | undefined): Promise<void> {
    try {
      const page = await this.#api.get('dead-letters', deadLettersShape, { limit: PAGE_SIZE, after })
      const before = after === undefined ? [] : this.#letters
      const known = new Set(before.map(({ id }) => id))
      this.#letters = [...before, ...page.deadLetters.filter(({ id }) => !known.has(id))]
      this.#next = page.next
      this.#total = page.total
      this.#isLoaded = true
      setText(this.#problem, '')
      this.translate()
    } catch (error) {
      setText(this.#problem, problemText(error))
    }
  }

  async #act(letter: DeadLetter, action: 'retry' | 'delete'): Promise<void> {
    setText(this.#problem, '')
    if (action === 'delete' && !(await isConfirmed(letter))) return
    const path = `dead-letters/${encodeURIComponent(letter.id)}`
    try {
      if (action === 'retry') await this.#api.command(`${path}/retry`)
      else await this.#api.delete(path)
      announce(t(action === 'retry' ? 'said.retried' : 'said.letter-deleted'))
      this.#remove(letter)
    } catch (error) {
      setText(this.#problem, problemText(error))
    }
  }

  /** Removes a row; the focus goes to the next one. */
  #remove(letter: DeadLetter): void {
    const place = this.#letters.findIndex(({ id }) => id === letter.id)
    const hadFocus = this.#rows.get(letter.id)?.root.contains(document.activeElement) ?? false
    this.#letters = this.#letters.filter(({ id }) => id !== letter.id)
    this.#total = Math.max(0, this.#total - 1)
    this.translate()
    if (!hadFocus) return
    const neighbour = this.#letters[place] ?? this.#letters.at(-1)
    const row = neighbour === undefined ? undefined : this.#rows.get(neighbour.id)
    const button = row?.root.querySelector('button') ?? null
    if (button === null) focusHeading(this.root)
    else button.focus()
  }
}

function isConfirmed({ host, type, upload }: DeadLetter): Promise<boolean> {
  return confirmed({
    title: t('ask.dead-letter'),
    text: t('ask.dead-letter-text', { endpoint: host ?? t('dead.removed-endpoint'), type, upload }),
    action: t('action.delete'),
  })
}

class LetterRow implements Shown<DeadLetter> {
  readonly #type = element('code')
  readonly #upload = element('a')
  readonly #host = cell('dead.endpoint', 'id')
  readonly #age = element('time')
  readonly #why = cell('dead.why', 'why')
  readonly #retry: HTMLButtonElement
  readonly #delete: HTMLButtonElement
  readonly root: HTMLElement
  #letter: DeadLetter | undefined

  constructor(act: (letter: DeadLetter, action: 'retry' | 'delete') => void) {
    const press = (action: 'retry' | 'delete') => () => {
      if (this.#letter !== undefined) act(this.#letter, action)
    }
    this.#retry = pressable('action.retry', press('retry'))
    this.#delete = pressable('action.delete', press('delete'), 'danger')
    this.root = element(
      'tr',
      { role: 'row', 'data-testid': 'dead-letter' },
      cell('dead.event', 'code', this.#type),
      cell('dead.upload', 'id', this.#upload),
      this.#host,
      cell('dead.at', 'age', this.#age),
      this.#why,
      cell('dead.actions', 'act', element('div', { class: 'buttons' }, this.#retry, this.#delete)),
    )
  }

  update(letter: DeadLetter): void {
    this.#letter = letter
    const { type, upload, host, at, why } = letter
    setText(this.#type, type)
    this.#upload.href = routeOf('uploads', upload)
    setText(this.#upload, upload)
    setText(this.#host, host ?? t('dead.removed-endpoint'))
    showAge(this.#age, at)
    setText(this.#why, why)
    const name = `${type}, ${upload}`
    this.#retry.setAttribute('aria-label', t('action.label', { action: t('action.retry'), name }))
    this.#delete.setAttribute('aria-label', t('action.label', { action: t('action.delete'), name }))
  }
}
