import type { Language } from '../i18n/language.ts'
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

/** Types for the `accept` attribute of a file input. */
export function acceptOf({ types }: Limits): string {
  return (types ?? []).map((type) => (type.includes('/') ? type : `.${extensionIn(type)}`)).join(',')
}

/** An extension without its dot, in small letters. */
export const extensionIn = (type: string): string => type.replace(/^\./, '').toLowerCase()

const labelOf = (type: string): string => (type.includes('/') ? type : extensionIn(type).toUpperCase())
