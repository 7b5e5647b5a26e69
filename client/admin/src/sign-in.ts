import { element } from '../../src/dom.ts'
import { field, texted } from './texted.ts'

/** Asks for the token of administrators. @param isRefused whether the service did not accept the last one. */
export function signInView(isRefused: boolean, accept: (token: string) => void): HTMLElement {
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
  if (isRefused) {
    problem.append(texted('span', 'sign-in.refused'))
    input.setAttribute('aria-invalid', 'true')
  }
  const form = element(
    'form',
    {},
    field('sign-in.token', input),
    problem,
    texted('button', 'sign-in.enter', { class: 'button strong', type: 'submit' }),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    accept(input.value.trim())
  })
  return element(
    'section',
    { class: 'card sign-in', 'aria-labelledby': 'sign-in-title' },
    texted('h1', 'sign-in.title', { id: 'sign-in-title' }),
    texted('p', 'sign-in.hint', { class: 'hint', id: 'token-hint' }),
    form,
  )
}
