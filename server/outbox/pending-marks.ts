import type { Marks, Place } from './lines.ts'

/** Marks that are to be written. */
export interface PendingMarks {
  confirmed: Place[]
  over: Place[]
  delivered: Map<string, Place[]>
}

export function noMarks(): PendingMarks {
  return { confirmed: [], over: [], delivered: new Map() }
}

export function hasMarks({ confirmed, over, delivered }: Marks): boolean {
  return confirmed.length > 0 || over.length > 0 || delivered.size > 0
}

export function merged(first: PendingMarks, second: PendingMarks): PendingMarks {
  const delivered = new Map(first.delivered)
  for (const [name, places] of second.delivered) delivered.set(name, [...(delivered.get(name) ?? []), ...places])
  return {
    confirmed: [...first.confirmed, ...second.confirmed],
    over: [...first.over, ...second.over],
    delivered,
  }
}
