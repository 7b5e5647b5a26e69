import { announce } from './announcer.ts'
import { byId, setText } from './dom.ts'
import { onLanguage } from './i18n/current-language.ts'
import { t } from './i18n/language.ts'
import { acceptOf, limitTexts } from './limits.ts'
import { isAway, onPresence } from './presence.ts'
import { currentSession, onSession, refreshSession } from './session.ts'

/** Shows what the visitor may upload; or, instead of the drop zone, why nothing. */
export class SignInView {
  readonly #drop = byId('drop', HTMLElement)
  readonly #input = byId('file-input', HTMLInputElement)
  readonly #limits = byId('limits', HTMLElement)
  readonly #notice = byId('notice', HTMLElement)
  readonly #sentence = byId('notice-text', HTMLElement)
  readonly #retry = byId('sign-in', HTMLButtonElement)
  #wasSignedIn = false

  constructor() {
    this.#retry.addEventListener('click', () => void refreshSession())
    onSession(() => this.#render())
    onPresence(() => this.#render())
    onLanguage(() => this.#render())
  }

  /** Whether the visitor can choose files; says why not. */
  admits(): boolean {
    const reason = this.#reason()
    if (reason !== null) announce(reason)
    return reason === null
  }

  #reason(): string | null {
    const session = currentSession()
    if (session === null) return isAway() ? t('state.away') : null
    if (!session.signedIn) return t(this.#wasSignedIn ? 'notice.expired' : 'notice.signed-out')
    return session.may.has('create') ? null : t('problem.denied')
  }

  #render(): void {
    const session = currentSession()
    if (session?.signedIn) this.#wasSignedIn = true
    const reason = this.#reason()
    const isNew = reason !== null && this.#sentence.textContent !== reason
    this.#drop.hidden = reason !== null
    this.#notice.hidden = reason === null
    this.#retry.hidden = session === null || session.signedIn
    setText(this.#sentence, reason ?? '')
    if (isNew) announce(reason)
    setText(this.#limits, reason === null ? limitTexts(session?.limits ?? {}).join(' · ') : '')
    this.#input.accept = acceptOf(session?.limits ?? {})
  }
}
