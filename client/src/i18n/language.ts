import { currentLanguage, fill } from './current-language.ts'
import { languages, type Text, type TextKey } from './texts.ts'

/** The text in the current language, with placeholders replaced by `values`. */
export function t(key: TextKey, values: Text['values'] = {}): string {
  return fill(languages[currentLanguage()][key], values)
}

/** The same for a stored text. */
export function say(text: Text): string {
  return t(text.key, text.values)
}
