import './styles/tokens.css'
import './styles/controls.css'
import './styles/page.css'
import { byId } from './dom.ts'
import { currentLanguage, fill, locale, onLanguage } from './i18n/current-language.ts'
import { isTextKey, pageTexts } from './i18n/page-texts.ts'
import { showTexts } from './page-texts.ts'

/** The page: its language, and what its address says. Everything else is the element. */
const element = byId('upload', HTMLElement)

showTexts(isTextKey, (key) => fill(pageTexts[currentLanguage()][key]))
onLanguage(() => element.setAttribute('locale', locale()))

/** Bytes per request, for tests of a connection: `?chunkSize=1048576`. */
const chunkSize = new URLSearchParams(location.search).get('chunkSize')
if (chunkSize !== null) element.setAttribute('chunk-size', chunkSize)

/** Moves a token from the fragment, which browsers never send, into memory. */
function takeToken(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token === null) return
  history.replaceState(history.state, '', location.pathname + location.search)
  Reflect.set(element, 'token', token)
}

takeToken()
window.addEventListener('hashchange', takeToken)
