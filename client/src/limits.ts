import { formatBytes } from './format.ts'
import { locale } from './i18n/current-language.ts'
import { t } from './i18n/language.ts'
import type { Text } from './i18n/texts.ts'
import type { Limits } from './session-response.ts'

/** The limits as texts for the visitor. */
export function limitTexts({ maxSize, types, quota, used }: Limits): string[] {
  const texts: string[] = []
  if (maxSize !== undefined) texts.push(t('limits.size', { size: formatBytes(maxSize, locale()) }))
  if (types !== undefined) texts.push(types.map(labelOf).join(t('limits.comma')))
  if (quota !== undefined) {
    const values = { used: formatBytes(used ?? 0, locale()), quota: formatBytes(quota, locale()) }
    texts.push(t('limits.quota', values))
  }
  return texts
}

/** Why the service would refuse a file, or null. `queued` are the bytes that other new files will need. */
export function refusalOf(file: File, { maxSize, types, quota, used }: Limits, queued: number): Text | null {
  if (maxSize !== undefined && file.size > maxSize) {
    return { key: 'problem.larger', values: { size: formatBytes(maxSize, locale()) } }
  }
  if (types !== undefined && !types.some((type) => mayBe(file, type))) return { key: 'problem.type' }
  if (quota !== undefined && (used ?? 0) + queued + file.size > quota) return { key: 'problem.quota' }
  return null
}

/** Types for the `accept` attribute of a file input. */
export function acceptOf({ types }: Limits): string {
  return (types ?? []).map((type) => (type.includes('/') ? type : `.${extensionIn(type)}`)).join(',')
}

/** Whether a file may be of a type. Only the server knows which extensions a media type has. */
function mayBe(file: File, type: string): boolean {
  return type.includes('/') || file.name.toLowerCase().endsWith(`.${extensionIn(type)}`)
}

const extensionIn = (type: string): string => type.replace(/^\./, '').toLowerCase()

const labelOf = (type: string): string => (type.includes('/') ? type : extensionIn(type).toUpperCase())
