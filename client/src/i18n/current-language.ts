/** The languages of the pages. */
export type Language = 'en' | 'zh'

/** Shared with the classical page. */
const STORAGE_KEY = 'landfall.language'
const LOCALES = { en: 'en', zh: 'zh-Hans' } as const

const listeners = new Set<() => void>()
let current: Language = remembered() ?? preferred(navigator.languages)

/** The first supported language of `tags`, or English. */
export function preferred(tags: readonly string[]): Language {
  for (const tag of tags) {
    const language = tag.toLowerCase().split('-')[0]
    if (language === 'zh' || language === 'en') return language
  }
  return 'en'
}

function remembered(): Language | null {
  try {
    const value = localStorage.getItem(STORAGE_KEY)
    return value === 'en' || value === 'zh' ? value : null
  } catch {
    return null
  }
}

export function currentLanguage(): Language {
  return current
}

/** The tag for `lang` attributes and number formats. */
export function locale(): string {
  return LOCALES[current]
}

/** Switches the language, and remembers the choice if the browser allows that. */
export function switchLanguage(language: Language): void {
  current = language
  try {
    localStorage.setItem(STORAGE_KEY, language)
  } catch {
    // Without storage, the choice lasts until the page is closed.
  }
  for (const listener of listeners) listener()
}

/** Calls `listener` now and after every change of the language. */
export function onLanguage(listener: () => void): void {
  listeners.add(listener)
  listener()
}

/** Values of placeholders. */
export type Values = Readonly<Record<string, string | number>>

/** A text with its placeholders, `{name}`, replaced by values. */
export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
