/** Texts for people at a terminal. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Lines with columns under their titles; the last one is not padded. */
export function columns(titles: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [titles, ...rows].map((row) => row.map(printable))
  const widths = titles.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))))
  return all.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)),
      )
      .join('  ')
      .trimEnd(),
  )
}

/** Names and values, one a line. */
export function list(pairs: readonly (readonly [name: string, value: string])[]): readonly string[] {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`.trimEnd())
}

/** Names come from clients: a control character could command the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}

export function size(bytes: number | null): string {
  if (bytes === null) return '?'
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** How much of a file has arrived. */
export function share(received: number, total: number | null): string {
  if (total === null) return '?'
  return total === 0 ? '100%' : `${Math.floor((received / total) * 100)}%`
}

/** A duration in its two largest units. @param ms milliseconds. */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.round(ms / SECOND))}s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h${Math.floor((ms % HOUR) / MINUTE)}m`
  return `${Math.floor(ms / DAY)}d${Math.floor((ms % DAY) / HOUR)}h`
}

/** Chinese, Japanese, and Korean characters take two places. */
function widthOf(text: string): number {
  return [...text].reduce(
    (sum, one) =>
      sum +
      (/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(one)
        ? 2
        : 1),
    0,
  )
}
