import { element, setText } from '../../src/dom.ts'
import type { Language } from '../i18n/language.ts'
import type { Removal } from '../queue/removals.ts'
import { textButton } from './button.ts'
import { iconControl, setLabel } from './icon-control.ts'

/** Offers to undo a removal, for a while. */
export class UndoView {
  readonly root: HTMLElement
  readonly #text = element('p', {})
  readonly #undo: HTMLButtonElement
  readonly #dismiss = iconControl('button', 'cancel', { type: 'button', 'data-testid': 'dismiss', part: 'dismiss' })

  constructor(undo: () => void, dismiss: () => void) {
    this.#undo = textButton('undo', 'undo', undo)
    this.#undo.classList.add('strong')
    this.#dismiss.addEventListener('click', dismiss)
    this.root = element('div', { class: 'undo', role: 'group' }, this.#text, this.#undo, this.#dismiss)
    this.root.hidden = true
  }

  render(removal: Removal | null, language: Language): void {
    this.root.hidden = removal === null
    if (removal === null) return
    setText(this.#text, removalText(removal, language))
    setText(this.#undo, language.t('action.undo'))
    setLabel(this.#dismiss, language.t('action.dismiss'), language.t('action.dismiss'))
    this.root.setAttribute('aria-label', removalText(removal, language))
  }
}

/** What was removed, as a sentence. */
export function removalText({ items, isDeletion }: Removal, language: Language): string {
  const [first] = items
  if (first === undefined || items.length > 1) return language.t('said.cancelled-many', { count: items.length })
  return language.t(isDeletion ? 'said.deleted' : 'said.cancelled', { name: first.name })
}
