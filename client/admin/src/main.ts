import '../../src/styles/tokens.css'
import '../../src/styles/controls.css'
import './styles/frame.css'
import './styles/tables.css'
import './styles/views.css'
import { byId } from '../../src/dom.ts'
import { onLanguage } from '../../src/i18n/current-language.ts'
import { showTexts } from '../../src/page-texts.ts'
import { Administration } from './administration.ts'
import { Api } from './api/api.ts'
import { isTextKey, t } from './i18n/language.ts'
import { signInView } from './sign-in.ts'
import { translateCells } from './table.ts'
import { forgetToken, keepToken, keptToken } from './token.ts'
import { focusHeading } from './view.ts'

const main = byId('content', HTMLElement)
const nav = byId('nav', HTMLElement)
const signOut = byId('sign-out', HTMLButtonElement)

let administration: Administration | undefined

/** Shows the administration, or a request for a token if there is none. */
function open(isRefused = false): void {
  const token = keptToken()
  nav.hidden = token === null
  signOut.hidden = token === null
  administration?.close()
  administration = undefined
  if (token !== null) {
    administration = new Administration(new Api(token, () => refused(token)), main)
    return
  }
  main.replaceChildren(
    signInView(isRefused, (entered) => {
      // A header cannot have other characters, so it is not the token.
      if (!/^[\x21-\x7e]+$/.test(entered)) {
        open(true)
        return
      }
      keepToken(entered)
      open()
      if (document.activeElement === document.body) focusHeading(main)
    }),
  )
  if (isRefused) main.querySelector('input')?.focus()
}

/** @param token another one may have been entered since. */
function refused(token: string): void {
  if (keptToken() !== token) return
  forgetToken()
  open(true)
}

signOut.addEventListener('click', () => {
  forgetToken()
  open()
  main.querySelector('input')?.focus()
})
// The address names the section: the link must not replace it.
byId('skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault()
  main.focus()
})

open()
showTexts(isTextKey, t)
onLanguage(() => {
  translateCells()
  administration?.translate()
})
