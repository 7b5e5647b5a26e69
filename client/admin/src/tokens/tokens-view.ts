import { announce } from '../../../src/announcer.ts'
import { element, setText } from '../../../src/dom.ts'
import { tokenShape } from '../api/answers.ts'
import type { Api } from '../api/api.ts'
import { t } from '../i18n/language.ts'
import { problemText } from '../problem-text.ts'
import { field, menu, pressable, texted } from '../texted.ts'
import { timeText } from '../times.ts'
import type { View } from '../view.ts'

const MIB = 1024 * 1024
const HOUR = 60 * 60
const DAY = 24 * HOUR

/** What a token may allow, and whether it does unless the administrator says otherwise. */
const ACTIONS = [
  ['create', true],
  ['write', true],
  ['ask', true],
  ['read', false],
  ['delete', false],
] as const

/** Makes tokens for uploads. */
export class TokensView implements View {
  readonly #api: Api
  readonly #subject = element('input', { type: 'text', required: '', maxlength: '1000', autocomplete: 'off' })
  readonly #lifetime = menu(
    {
      [HOUR]: 'tokens.hour',
      [DAY]: 'tokens.day',
      [7 * DAY]: 'tokens.week',
      [30 * DAY]: 'tokens.month',
    },
    String(DAY),
  )
  readonly #may = ACTIONS.map(([action, isAllowed]) => {
    const box = element('input', { type: 'checkbox', value: action })
    box.checked = isAllowed
    return box
  })
  readonly #maxSize = number()
  readonly #quota = number()
  readonly #types = element('input', { type: 'text', autocomplete: 'off', spellcheck: 'false' })
  readonly #problem = element('p', { class: 'problem', role: 'alert' })
  readonly #token = element('input', { type: 'text', readonly: '', 'data-testid': 'token' })
  readonly #expires = element('p', { class: 'hint' })
  readonly #result: HTMLElement
  readonly root: HTMLElement
  /** When the token that is shown expires, in milliseconds since 1970. */
  #until: number | undefined

  constructor(api: Api) {
    this.#api = api
    this.#result = element(
      'div',
      { class: 'result', hidden: '' },
      field('tokens.token', this.#token),
      pressable('action.copy', () => void this.#copy()),
      this.#expires,
    )
    const form = element(
      'form',
      { class: 'token-form' },
      field('tokens.sub', this.#subject),
      field('tokens.lifetime', this.#lifetime),
      element('fieldset', { class: 'boxes' }, texted('legend', 'tokens.may'), ...this.#may.map(boxOf)),
      field('tokens.max-size', this.#maxSize),
      field('tokens.quota', this.#quota),
      field('tokens.types', this.#types),
      element('div', {}, texted('button', 'tokens.create', { class: 'button strong', type: 'submit' })),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#create()
    })
    this.root = element(
      'section',
      { class: 'narrow' },
      texted('h1', 'tokens.title'),
      texted('p', 'tokens.hint', { class: 'hint' }),
      element('div', { class: 'card' }, form, this.#problem, this.#result),
    )
  }

  update(): void {
    // Nothing here is live.
  }

  translate(): void {
    if (this.#until !== undefined) setText(this.#expires, t('tokens.expires', { time: timeText(this.#until) }))
  }

  close(): void {
    // A token is shown once.
    this.#token.value = ''
  }

  async #create(): Promise<void> {
    setText(this.#problem, '')
    this.#result.hidden = true
    const types = this.#types.value
      .split(',')
      .map((type) => type.trim())
      .filter((type) => type !== '')
    try {
      const { token, expires } = await this.#api.post('tokens', tokenShape, {
        sub: this.#subject.value,
        expires_in: Number(this.#lifetime.value),
        may: this.#may.filter(({ checked }) => checked).map(({ value }) => value),
        ...(this.#maxSize.value !== '' && { max_size: Math.round(Number(this.#maxSize.value) * MIB) }),
        ...(this.#quota.value !== '' && { quota: Math.round(Number(this.#quota.value) * MIB) }),
        ...(types.length > 0 && { types }),
      })
      this.#until = expires * 1000
      this.#token.value = token
      this.#result.hidden = false
      this.translate()
      this.#token.select()
      announce(this.#expires.textContent)
    } catch (error) {
      setText(this.#problem, problemText(error))
    }
  }

  async #copy(): Promise<void> {
    this.#token.select()
    // Pages without a secure context have no clipboard; the token is selected then.
    const isCopied = await navigator.clipboard?.writeText(this.#token.value).then(
      () => true,
      () => false,
    )
    if (isCopied === true) announce(t('said.copied'))
  }
}

function number(): HTMLInputElement {
  return element('input', { type: 'number', min: '0', step: 'any', inputmode: 'decimal' })
}

function boxOf(box: HTMLInputElement, index: number): HTMLElement {
  return element('label', { class: 'box' }, box, texted('span', `tokens.may.${ACTIONS[index]?.[0] ?? 'create'}`))
}
