import { formatBytes, splitSeconds } from '../../src/format.ts'
import { english, type TextKey } from './en.ts'
import type { Text, Values } from './text.ts'

type Table = Readonly<Record<TextKey, string>>

/** The languages beside English, each a file that is loaded when it is needed. */
const OTHERS: Readonly<Record<string, () => Promise<Table>>> = {
  zh: async () => (await import('./zh.ts')).chinese,
}
const LOCALES: Readonly<Record<string, string>> = { en: 'en', zh: 'zh-Hans' }

/** English. The list brings the rest of it. */
let fallback: Partial<Table> = english

/** Adds English texts. */
export function addTexts(texts: Partial<Table>): void {
  fallback = { ...fallback, ...texts }
}

/** The language of an element. It begins with English. */
export class Language {
  readonly #changed: () => void
  /** The one that was chosen last. */
  #chosen = 'en'
  /** The one whose texts are shown. */
  #name = 'en'
  /** Its texts; null for English. */
  #table: Table | null = null

  /** `changed` is called when a language is loaded. */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** The tag for `lang` attributes and number formats. */
  get locale(): string {
    return LOCALES[this.#name] ?? 'en'
  }

  /** Switches to the first known language of some tags, as soon as it is loaded; English if none is known. */
  async choose(tags: readonly string[]): Promise<void> {
    const names = tags.map((tag) => tag.toLowerCase().split('-')[0] ?? '')
    const name = names.find((known) => Object.hasOwn(LOCALES, known)) ?? 'en'
    if (name === this.#chosen) return
    this.#chosen = name
    const table = await OTHERS[name]?.().catch(() => null)
    if (this.#chosen !== name) return
    if (table === null) {
      // Without its file, the element keeps its language until the next call.
      this.#chosen = this.#name
      return
    }
    this.#name = name
    this.#table = table ?? null
    this.#changed()
  }

  /** The text in this language. */
  t(key: TextKey, values: Values = {}): string {
    return ((this.#table ?? fallback)[key] ?? '').replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name]
      if (value === undefined) return whole
      return typeof value === 'object' ? this.bytes(value.bytes) : String(value)
    })
  }

  /** The same for a stored text. */
  say(text: Text): string {
    return this.t(text.key, text.values)
  }

  /** A size: `1.5 KB`. */
  bytes(bytes: number): string {
    return formatBytes(bytes, this.locale)
  }

  /** A duration: `2 min 5 s`. */
  duration(seconds: number): string {
    const { hours, minutes, seconds: rest } = splitSeconds(seconds)
    if (hours > 0) return this.t('time.hours', { hours, minutes })
    return minutes > 0 ? this.t('time.minutes', { minutes, seconds: rest }) : this.t('time.seconds', { seconds: rest })
  }
}
