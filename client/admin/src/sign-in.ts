import { element, setText } from '../../src/dom.ts'
import { t } from './i18n/language.ts'

/** Why the page asks for a token: nothing was wrong yet, the service refused it, or the service is away. */
export type SignInReason = 'first' | 'refused' | 'unreachable'

/** Asks for the token of administrators. @param accept is called with it. */
export function signInView(reason: SignInReason, accept: (token: string) => void): HTMLElement {
  const input = element('input', {
    type: 'password',
    name: 'token',
    id: 'token',
    autocomplete: 'off',
    spellcheck: 'false',
    required: '',
    'aria-describedby': 'token-problem token-hint',
  })
  const problem = element('p', { class: 'problem', id: 'token-problem', role: 'alert' })
  if (reason === 'refused') setText(problem, t('sign-in.refused'))
  if (reason === 'unreachable') setText(problem, t('problem.unreachable'))
  input.toggleAttribute('aria-invalid', reason === 'refused')
  const form = element(
    'form',
    {},
    element('label', { class: 'field', for: 'token' }, element('span', {}, t('sign-in.token')), input),
    problem,
    element('button', { class: 'button strong', type: 'submit' }, t('sign-in.enter')),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    accept(input.value.trim())
  })
  const view = element(
    'section',
    { class: 'card sign-in', 'aria-labelledby': 'sign-in-title' },
    element('h1', { id: 'sign-in-title' }, t('sign-in.title')),
    element('p', { class: 'hint', id: 'token-hint' }, t('sign-in.hint')),
    form,
  )
  return view
}
