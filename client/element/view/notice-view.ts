import { element, setText } from '../../src/dom.ts'
import { textButton } from './button.ts'

/** A sentence that needs an action of the visitor, with the button for it. */
export class NoticeView {
  readonly root: HTMLElement
  readonly #sentence = element('p', {})
  readonly #button: HTMLButtonElement

  /** `name` is that of the button. */
  constructor(attributes: Readonly<Record<string, string>>, name: string, press: () => void) {
    this.#button = textButton(name, name, press)
    this.#button.classList.add('strong')
    this.root = element('div', attributes, this.#sentence, this.#button)
    this.root.hidden = true
  }

  /** Shows a sentence, or nothing; without a text, there is no button. Returns whether the sentence is new. */
  render(sentence: string | null, button: string | null): boolean {
    const isNew = sentence !== null && this.#sentence.textContent !== sentence
    this.root.hidden = sentence === null
    setText(this.#sentence, sentence ?? '')
    this.#button.hidden = button === null
    setText(this.#button, button ?? '')
    return isNew
  }
}
