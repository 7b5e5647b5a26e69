import { element } from '../../src/dom.ts'
import { t } from './i18n/language.ts'

/** What a dialog asks before something is destroyed. */
export interface Question {
  readonly title: string
  /** What the action does, and whether it can be undone. */
  readonly text: string
  /** The label of the button that does it. */
  readonly action: string
}

/**
 * Asks the administrator. The focus is on “Cancel” first, and returns to where it was.
 *
 * @returns whether the action was confirmed.
 */
export async function confirmed({ title, text, action }: Question): Promise<boolean> {
  const opener = document.activeElement
  const cancel = element('button', { class: 'button', type: 'button' }, t('action.cancel'))
  const act = element('button', { class: 'button danger', type: 'button', 'data-testid': 'confirm' }, action)
  const heading = element('h2', { id: 'dialog-title' }, title)
  const sentence = element('p', { id: 'dialog-text' }, text)
  const dialog = element(
    'dialog',
    { class: 'dialog', 'aria-labelledby': 'dialog-title', 'aria-describedby': 'dialog-text' },
    heading,
    sentence,
    element('div', { class: 'buttons' }, cancel, act),
  )
  document.body.append(dialog)
  cancel.addEventListener('click', () => dialog.close())
  act.addEventListener('click', () => dialog.close('confirmed'))
  const closed = new Promise<void>((resolve) => dialog.addEventListener('close', () => resolve(), { once: true }))
  dialog.showModal()
  cancel.focus()
  await closed
  dialog.remove()
  if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
  return dialog.returnValue === 'confirmed'
}
