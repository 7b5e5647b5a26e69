import { element, setText } from '../../src/dom.ts'
import { type IconName, icon } from './icons.ts'

/** A button or link that shows an icon; `setLabel` names it. */
export function iconControl<Name extends 'a' | 'button'>(
  tag: Name,
  name: IconName,
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[Name] {
  const control = element(tag, { class: 'icon', part: name, 'data-testid': name, ...attributes })
  control.append(icon(name), element('span', { class: 'unseen' }))
  return control
}

/** Names a control; the label has the file, too, because each row has a control with the same text. */
export function setLabel(control: HTMLElement, text: string, label: string): void {
  const visible = control.querySelector('span')
  if (visible !== null) setText(visible, text)
  if (control.title !== text) control.title = text
  if (control.getAttribute('aria-label') !== label) control.setAttribute('aria-label', label)
}
