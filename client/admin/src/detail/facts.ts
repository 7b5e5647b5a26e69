import { element, setText } from '../../../src/dom.ts'
import type { TextKey } from '../i18n/en.ts'
import { t } from '../i18n/language.ts'

/** A fact: what it is about, and its text or a link. */
export type Fact = readonly [name: TextKey | { readonly raw: string }, value: string | HTMLElement | undefined]

/** A list of names and values. Texts change in place, so a selection stays. */
export class Facts {
  readonly root = element('dl', { class: 'facts' })
  readonly #shown = new Map<string, { readonly name: HTMLElement; readonly value: HTMLElement }>()

  /** Shows these facts; those without a value are left out. */
  show(facts: readonly Fact[]): void {
    const wanted = facts.filter(([, value]) => value !== undefined)
    const keys = wanted.map(([name]) => (typeof name === 'string' ? name : name.raw))
    if (keys.join('\n') !== [...this.#shown.keys()].join('\n')) this.#build(keys)
    for (const [name, value] of wanted) {
      const shown = this.#shown.get(typeof name === 'string' ? name : name.raw)
      if (shown === undefined || value === undefined) continue
      setText(shown.name, typeof name === 'string' ? t(name) : name.raw)
      if (typeof value === 'string') setText(shown.value, value)
      else if (shown.value.innerHTML !== value.outerHTML) shown.value.replaceChildren(value)
    }
  }

  #build(keys: readonly string[]): void {
    this.#shown.clear()
    for (const key of keys) this.#shown.set(key, { name: element('dt'), value: element('dd') })
    this.root.replaceChildren(...[...this.#shown.values()].map(({ name, value }) => element('div', {}, name, value)))
  }
}
