import { setText } from './dom.ts'
import { currentLanguage, type Language, locale, onLanguage, switchLanguage } from './i18n/current-language.ts'

/**
 * Shows the fixed texts of a page in the current language, and connects the language buttons. Elements name their text
 * in `data-text`, and their accessible name in `data-label`; the title is `page.title`.
 *
 * @param isKey whether the page has a text with this key.
 * @param t returns a text in the current language.
 */
export function showTexts<Key extends string>(isKey: (key: string) => key is Key, t: (key: Key) => string): void {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>('button[data-language]')]
  for (const button of buttons) {
    button.addEventListener('click', () => {
      if (isLanguage(button.dataset['language'])) switchLanguage(button.dataset['language'])
    })
  }
  const found = (key = ''): string => (isKey(key) ? t(key) : '')
  onLanguage(() => {
    document.documentElement.lang = locale()
    document.title = found('page.title')
    for (const target of document.querySelectorAll<HTMLElement>('[data-text]')) {
      setText(target, found(target.dataset['text']))
    }
    for (const target of document.querySelectorAll<HTMLElement>('[data-label]')) {
      target.setAttribute('aria-label', found(target.dataset['label']))
    }
    for (const button of buttons) {
      button.setAttribute('aria-pressed', String(button.dataset['language'] === currentLanguage()))
    }
  })
}

function isLanguage(value: string | undefined): value is Language {
  return value === 'en' || value === 'zh'
}
