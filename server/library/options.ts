import { parseSettings } from '../read-settings.ts'
import { declaration, type Settings } from '../settings.ts'

/**
 * Every setting as an option: `MAX_SIZE` is `maxSize`. What is a list in the environment may be an array here. Units
 * and defaults are those of the settings.
 */
export type SettingOptions = {
  readonly [K in keyof Settings as CamelCase<K>]?:
    | OptionOf<Settings[K]>
    | (K extends Spaced ? readonly string[] : never)
    | undefined
}

type CamelCase<S extends string> = S extends `${infer First}_${infer Rest}`
  ? `${Lowercase<First>}${Capitalize<CamelCase<Rest>>}`
  : Lowercase<S>

type OptionOf<T> = [T] extends [number] ? number : [T] extends [string] ? T | Flag<T> : string | readonly string[]

/** Settings that may be `true` or `false` may be so without quotes. */
type Flag<T> = T extends 'true' ? true : T extends 'false' ? false : never

/** Lists whose elements are separated by spaces. */
const SPACED = ['SCAN_CMD', 'HOOKS_SECRET', 'WEBHOOK_SECRET'] as const
type Spaced = (typeof SPACED)[number]

/** Numbers that are octal as texts. */
const OCTAL: ReadonlySet<string> = new Set(['FILE_MODE', 'DIR_MODE'])

/**
 * The settings that options describe; the environment has no part in them.
 *
 * @throws Error with a sentence for each option that is wrong, one a line.
 */
export function settingsOf(options: SettingOptions): Settings {
  const names = new Map(Object.keys(declaration.shape).map((name) => [optionOf(name), name]))
  const texts = Object.entries(options).map(([option, value]: [string, unknown]) => {
    const name = names.get(option)
    if (name === undefined) throw new Error(`Unknown option: ${option}.`)
    return [name, value === undefined ? undefined : textOf(name, option, value)]
  })
  try {
    return parseSettings(Object.fromEntries(texts))
  } catch (error) {
    if (error instanceof Error) error.message = withOptionNames(error.message)
    throw error
  }
}

/** A sentence about settings as one about options. */
function withOptionNames(sentence: string): string {
  return sentence.replaceAll(/[A-Z]+(?:_[A-Z]+)*/g, (word) => (word in declaration.shape ? optionOf(word) : word))
}

function optionOf(setting: string): string {
  return setting.toLowerCase().replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}

function textOf(name: string, option: string, value: unknown): string {
  if (typeof value === 'number' && OCTAL.has(name)) return value.toString(8)
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return String(value)
  if (Array.isArray(value)) return value.map(String).join(SPACED.some((spaced) => spaced === name) ? ' ' : ',')
  throw new Error(`The option ${option} must be a text, a number, true or false, or an array of texts.`)
}
