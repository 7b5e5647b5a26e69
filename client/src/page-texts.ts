import { setText } from './dom.ts'
import { currentLanguage, locale, onLanguage, switchLanguage, t } from './i18n/language.ts'
import { type Language, languages, type TextKey } from './i18n/texts.ts'

/** Shows the fixed texts of the page in the current language, and connects the language buttons. */
export function showTexts(): void {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>('button[data-language]')]
  for (const button of buttons) {
    button.addEventListener('click', () => {
      if (isLanguage(button.dataset['language'])) switchLanguage(button.dataset['language'])
    })
  }
  onLanguage(() => {
    document.documentElement.lang = locale()
    document.title = t('page.title')
    for (const target of document.querySelectorAll<HTMLElement>('[data-text]')) {
      if (isTextKey(target.dataset['text'])) setText(target, t(target.dataset['text']))
    }
    for (const target of document.querySelectorAll<HTMLElement>('[data-label]')) {
      if (isTextKey(target.dataset['label'])) target.setAttribute('aria-label', t(target.dataset['label']))
    }
    for (const button of buttons) {
      button.setAttribute('aria-pressed', String(button.dataset['language'] === currentLanguage()))
    }
  })
}

function isLanguage(value: string | undefined): value is Language {
  return value !== undefined && Object.hasOwn(languages, value)
}

function isTextKey(value: string | undefined): value is TextKey {
  return value !== undefined && Object.hasOwn(languages.en, value)
}
