import { element } from '../../src/dom.ts'
import type { TextKey } from './i18n/en.ts'
import { t } from './i18n/language.ts'

/** An element with a fixed text, which follows the language while it is in the page. */
export function texted<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  key: TextKey,
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[Name] {
  return element(name, { ...attributes, 'data-text': key }, t(key))
}

/** Attributes for an accessible name, which follows the language while its element is in the page. */
export function labelled(key: TextKey): Readonly<Record<string, string>> {
  return { 'data-label': key, 'aria-label': t(key) }
}

/** A field below its label. */
export function field(key: TextKey, control: HTMLInputElement | HTMLSelectElement): HTMLLabelElement {
  return element('label', { class: 'field' }, texted('span', key), control)
}

/** A menu of fixed texts. @param values the text of each value. */
export function menu(values: Readonly<Record<string, TextKey>>, selected: string): HTMLSelectElement {
  const select = element('select')
  for (const [value, key] of Object.entries(values)) select.append(texted('option', key, { value }))
  select.value = selected
  return select
}

/** A button with a fixed text. */
export function pressable(key: TextKey, press: () => void, kind: '' | 'strong' | 'danger' = ''): HTMLButtonElement {
  const button = texted('button', key, { class: kind === '' ? 'button' : `button ${kind}`, type: 'button' })
  button.addEventListener('click', press)
  return button
}
