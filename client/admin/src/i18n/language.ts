import { currentLanguage, fill, type Language, type Values } from '../../../src/i18n/current-language.ts'
import { english, type TextKey } from './en.ts'
import { chinese } from './zh.ts'

const TABLES: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = { en: english, zh: chinese }

/** The text in the current language, with placeholders replaced by `values`. */
export function t(key: TextKey, values: Values = {}): string {
  return fill(TABLES[currentLanguage()][key], values)
}

/** Whether a text has this key. */
export function isTextKey(value: string): value is TextKey {
  return Object.hasOwn(english, value)
}
