import { usage } from './exit-codes.ts'

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/** A time, or how long ago it was: `2026-11-27T12:00:00Z`, `2026-11-27`, `90s`, `15m`, `2h`, `7d`. @throws CliError */
export function timeIn(text: string | undefined, now: number): string | undefined {
  if (text === undefined) return undefined
  const [, number = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const ago = Number(number) * (UNITS.get(unit) ?? Number.NaN)
  const time = unit === '' ? Date.parse(text) : now - ago
  if (Number.isNaN(time)) throw usage(`${text} is no time, such as 2026-11-27T12:00:00Z, and no age, such as 7d.`)
  return new Date(time).toISOString()
}
