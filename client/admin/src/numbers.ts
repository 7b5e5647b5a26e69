import { formatBytes } from '../../src/format.ts'
import { locale } from '../../src/i18n/current-language.ts'
import { t } from './i18n/language.ts'

/** A size in the units of people. @param bytes a size, or a rounded part of it. */
export function sizeText(bytes: number): string {
  return formatBytes(bytes, locale())
}

export function rateText(bytesPerSecond: number): string {
  return t('rate.value', { size: sizeText(Math.round(bytesPerSecond)) })
}

/** A count with separators. */
export function countText(count: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(count)
}
