import type { Language } from '../i18n/language.ts'
import type { Text } from '../i18n/text.ts'
import type { Limits } from '../service/session-response.ts'

/** The narrower of the limits of the service and those of the page. */
export function limitsOf(ofService: Limits, ofPage: Limits): Limits {
  const sizes = [ofService.maxSize, ofPage.maxSize].filter((size) => size !== undefined)
  return { ...ofService, ...ofPage, ...(sizes.length > 0 && { maxSize: Math.min(...sizes) }) }
}

/** The limits as texts for the visitor. */
export function limitTexts({ maxSize, types, quota, used }: Limits, language: Language): string[] {
  const texts: string[] = []
  if (maxSize !== undefined) texts.push(language.t('limits.size', { size: { bytes: maxSize } }))
  if (types !== undefined) texts.push(types.map(labelOf).join(language.t('limits.comma')))
  if (quota !== undefined) {
    texts.push(language.t('limits.quota', { used: { bytes: used ?? 0 }, quota: { bytes: quota } }))
  }
  return texts
}

/** Why the service would refuse a file, or null. `queued` are the bytes that other new files will need. */
export function refusalOf(file: File, { maxSize, types, quota, used }: Limits, queued: number): Text | null {
  if (maxSize !== undefined && file.size > maxSize) {
    return { key: 'problem.larger', values: { size: { bytes: maxSize } } }
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
  if (type.endsWith('/*')) return file.type === '' || file.type.startsWith(type.slice(0, -1))
  return type.includes('/') || file.name.toLowerCase().endsWith(`.${extensionIn(type)}`)
}

const extensionIn = (type: string): string => type.replace(/^\./, '').toLowerCase()

const labelOf = (type: string): string => (type.includes('/') ? type : extensionIn(type).toUpperCase())
