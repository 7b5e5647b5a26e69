import { element } from '../../src/dom.ts'

/** A button with a visible text. */
export function textButton(name: string, part: string, press: () => void): HTMLButtonElement {
  const created = element('button', { class: 'button', type: 'button', part, 'data-testid': name })
  created.addEventListener('click', press)
  return created
}
