import { declaration, descriptions, isSecret, type Settings } from './settings.ts'

/** A setting as operators may see it: without secrets. */
export interface ShownSetting {
  readonly name: string
  /** As the environment variable would have it. */
  readonly value: string
  readonly default: string
  readonly isDefault: boolean
  readonly isSecret: boolean
  readonly help: string
}

/** Settings that are permissions. */
const OCTAL: ReadonlySet<string> = new Set(['FILE_MODE', 'DIR_MODE'])

/** Settings whose URL may contain a secret anywhere. */
const SECRET_URLS: ReadonlySet<string> = new Set(['WEBHOOK_URLS', 'HOOKS_URL', 'SCAN_URL', 'AUTH_URL'])

const MASK = '***'

/** All settings. Secrets are masked, and so are those in URLs and in commands. */
export function shownSettings(settings: Settings): readonly ShownSetting[] {
  const defaults: ReadonlyMap<string, unknown> = new Map(Object.entries(declaration.parse({})))
  const values = new Map<string, unknown>(Object.entries(settings))
  return Object.entries(declaration.shape).map(([name, schema]) => {
    const { default: fallback = '', help = '' } = descriptions.get(schema) ?? {}
    const value = shownValue(name, values.get(name))
    const isDefault = value === shownValue(name, defaults.get(name))
    return { name, value, default: fallback, isDefault, isSecret: isSecret(name), help }
  })
}

/** The settings that differ from their defaults, masked like all. */
export function changedSettings(settings: Settings): Readonly<Record<string, string>> {
  const changed = shownSettings(settings).filter(({ isDefault }) => !isDefault)
  return Object.fromEntries(changed.map(({ name, value }) => [name, value]))
}

function shownValue(name: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (isSecret(name)) return value === '' ? '' : MASK
  // Its arguments may contain a secret.
  if (name === 'SCAN_CMD' && Array.isArray(value)) return value.length > 1 ? `${value[0]} ${MASK}` : String(value[0])
  if (value instanceof Map) return [...value].map(([key, one]) => `${key}=${shownValue(name, one)}`).join(',')
  if (value instanceof Set || Array.isArray(value)) return [...value].map((one) => shownValue(name, one)).join(',')
  if (value instanceof URL) return shownText(name, value.href)
  if (typeof value === 'number') return numberText(name, value)
  return typeof value === 'string' ? shownText(name, value) : JSON.stringify(value)
}

/** 0 is the text of no limit. */
function numberText(name: string, value: number): string {
  if (OCTAL.has(name)) return `0${value.toString(8)}`
  return Number.isFinite(value) ? String(value) : '0'
}

function shownText(name: string, text: string): string {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return text
  const url = new URL(text)
  if (url.username !== '') url.username = MASK
  if (url.password !== '') url.password = MASK
  if (url.search !== '') url.search = MASK
  if (SECRET_URLS.has(name) && url.pathname !== '/') url.pathname = `/${MASK}`
  return url.href === new URL(text).href ? text : url.href
}
