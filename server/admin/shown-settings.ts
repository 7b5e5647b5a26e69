import { declaration, descriptions, isSecret, type Settings } from '../settings.ts'
import type { SettingsAnswer } from './contract.ts'

/** Settings that are permissions. */
const OCTAL: ReadonlySet<string> = new Set(['FILE_MODE', 'DIR_MODE'])

/** All settings as texts, without secrets. */
export function shownSettings(settings: Settings): SettingsAnswer {
  const defaults: ReadonlyMap<string, unknown> = new Map(Object.entries(declaration.parse({})))
  const values = new Map<string, unknown>(Object.entries(settings))
  return {
    settings: Object.entries(declaration.shape).map(([name, schema]) => {
      const { default: fallback = '', help = '' } = descriptions.get(schema) ?? {}
      const value = values.get(name)
      const text = isSecret(name) ? (value === '' ? '' : '***') : textOf(name, value)
      const isDefault = isSecret(name) ? value === '' : text === textOf(name, defaults.get(name))
      return { name, value: text, default: fallback, isDefault, isSecret: isSecret(name), help }
    }),
  }
}

function textOf(name: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  // Its arguments may contain a secret.
  if (name === 'SCAN_CMD' && Array.isArray(value)) return value.length > 1 ? `${value[0]} ***` : String(value[0])
  if (typeof value === 'number') return OCTAL.has(name) ? `0${value.toString(8)}` : numberText(value)
  if (value instanceof URL) return withoutSecrets(value.href)
  if (typeof value === 'string') return withoutSecrets(value)
  if (value instanceof Set) return [...value].map((one) => textOf(name, one)).join(',')
  if (Array.isArray(value)) return value.map((one) => textOf(name, one)).join(',')
  if (value instanceof Map) return [...value.keys()].join(',')
  return JSON.stringify(value)
}

/** 0 is the text of no limit. */
function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : '0'
}

/** URLs may have credentials, or a secret in their path. */
function withoutSecrets(text: string): string {
  if (!/^https?:\/\//.test(text)) return text
  const { origin, pathname, search, username } = new URL(text)
  return pathname === '/' && search === '' && username === '' ? origin : `${origin}/***`
}
