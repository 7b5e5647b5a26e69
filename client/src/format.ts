const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const

/** Formats a size in bytes: `1536` → `1.5 KB`. Powers of 1024, at most three digits. */
export function formatBytes(bytes: number, locale: string): string {
  let value = bytes
  let unit = 0
  // 999.5 instead of 1024 keeps it at three digits.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value)
  return `${number} ${UNITS[unit] ?? 'B'}`
}

/** A share as a whole percentage; 100 only if complete. An empty whole is complete. */
export function percentOf(part: number, whole: number): number {
  if (part >= whole) return 100
  return Math.min(99, Math.max(0, Math.floor((part / whole) * 100)))
}

/** A duration in hours, minutes, and seconds; from one hour on, the seconds are 0. */
export interface Duration {
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
}

/** Splits a number of seconds, rounded up to at least 1. */
export function splitSeconds(total: number): Duration {
  const whole = Math.max(1, Math.ceil(total))
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  return { hours, minutes, seconds: hours > 0 ? 0 : whole % 60 }
}

/** The text of a file's tile: its extension in capitals if it has at most four letters, else nothing. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 ? name.slice(dot + 1) : ''
  return extension.length <= 4 ? extension.toUpperCase() : ''
}
