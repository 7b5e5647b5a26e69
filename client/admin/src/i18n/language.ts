import { currentLanguage, fill, type Values } from '../../../src/i18n/current-language.ts'
import { languages, type TextKey } from './texts.ts'

/** The text in the current language, with placeholders replaced by `values`. */
export function t(key: TextKey, values: Values = {}): string {
  return fill(languages[currentLanguage()][key], values)
}
