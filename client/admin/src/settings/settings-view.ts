import { element, setText } from '../../../src/dom.ts'
import { type Setting, settingsShape } from '../api/answers.ts'
import type { Api } from '../api/api.ts'
import { t } from '../i18n/language.ts'
import { Keyed, type Shown } from '../keyed.ts'
import { problemText } from '../problem-text.ts'
import { cell, table } from '../table.ts'
import { field, texted } from '../texted.ts'
import type { View } from '../view.ts'

/** The settings of the service. */
export class SettingsView implements View {
  readonly #find = element('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' })
  readonly #changed = element('input', { type: 'checkbox' })
  readonly #problem = element('p', { class: 'problem', role: 'alert' })
  readonly #none = texted('p', 'settings.none', { class: 'hint', hidden: '' })
  readonly #table = table('settings.title', ['settings.name', 'settings.value', 'settings.default', 'settings.help'])
  readonly #rows = new Keyed<Setting>(
    this.#table.body,
    ({ name }) => name,
    () => new SettingRow(),
  )
  readonly root = element(
    'section',
    {},
    texted('h1', 'settings.title'),
    texted('p', 'settings.hint', { class: 'hint' }),
    element(
      'search',
      { class: 'fields' },
      field('settings.find', this.#find),
      element('label', { class: 'box' }, this.#changed, texted('span', 'settings.changed')),
    ),
    this.#problem,
    element('div', { class: 'card settings' }, this.#table.root, this.#none),
  )
  #settings: readonly Setting[] = []

  constructor(api: Api) {
    this.#find.addEventListener('input', () => this.translate())
    this.#changed.addEventListener('change', () => this.translate())
    void this.#load(api)
  }

  update(): void {
    // Settings change only with a restart.
  }

  translate(): void {
    const text = this.#find.value.trim().toLowerCase()
    const found = this.#settings.filter(
      ({ name, help, isDefault }) =>
        (!this.#changed.checked || !isDefault) &&
        (name.toLowerCase().includes(text) || help.toLowerCase().includes(text)),
    )
    this.#rows.show(found)
    this.#table.root.hidden = found.length === 0
    this.#none.hidden = found.length > 0 || this.#settings.length === 0
  }

  close(): void {
    // Nothing runs in the background.
  }

  async #load(api: Api): Promise<void> {
    try {
      this.#settings = (await api.get('settings', settingsShape)).settings
      this.translate()
    } catch (error) {
      setText(this.#problem, problemText(error))
    }
  }
}

class SettingRow implements Shown<Setting> {
  readonly #name = element('code')
  readonly #value = element('code')
  readonly #default = element('code')
  // The service describes its settings in English.
  readonly #help = element('span', { lang: 'en' })
  readonly root = element(
    'tr',
    { role: 'row', 'data-testid': 'setting' },
    cell('settings.name', 'code', this.#name),
    cell('settings.value', 'code', this.#value),
    cell('settings.default', 'code', this.#default),
    cell('settings.help', 'help', this.#help),
  )

  update({ name, value, default: standard, isDefault, help }: Setting): void {
    this.root.classList.toggle('changed', !isDefault)
    setText(this.#name, name)
    setText(this.#value, value === '' ? t('settings.empty') : value)
    setText(this.#default, standard === '' ? t('settings.empty') : standard)
    setText(this.#help, help)
  }
}
