import { linesIn, type Marks, marksIn, marksLine } from './lines.ts'
import { hasMarks } from './pending-marks.ts'
import { parsePlace, type Segment } from './segment.ts'

/** What becomes of a segment. */
export interface Compacted {
  /** The lines that are still needed, in order. */
  readonly kept: readonly Buffer[]
  /** The intents that are not. */
  readonly dropped: readonly number[]
  /** The other segments that the marks in these lines are about. */
  readonly targets: ReadonlySet<number>
}

/**
 * Finds what is still needed of a segment: its intents that are not over, and the marks of intents that are in a file.
 *
 * @param segments all, by number.
 */
export function compacted(own: Segment, bytes: Buffer, segments: ReadonlyMap<number, Segment>): Compacted {
  const kept: Buffer[] = []
  const dropped: number[] = []
  const targets = new Set<number>()
  const isNeeded = (place: string): boolean => {
    const { number, index } = parsePlace(place)
    const target = segments.get(number)
    if (target === undefined || !target.has(index) || (target === own && target.isOver(index))) return false
    if (target !== own) targets.add(number)
    return true
  }
  for (const line of linesIn(bytes)) {
    const marks = line.kind === 'marks' ? marksIn(bytes, line) : undefined
    if (marks !== undefined) {
      const needed = marksThat(isNeeded, marks)
      if (hasMarks(needed)) kept.push(marksLine(needed))
    } else if (line.kind === 'intent' && own.isOver(line.index)) dropped.push(line.index)
    else if (line.kind !== 'damaged') kept.push(bytes.subarray(line.start, line.end))
  }
  return { kept, dropped, targets }
}

function marksThat(isNeeded: (place: string) => boolean, { confirmed, over, delivered }: Marks): Marks {
  const left = [...delivered].map(([name, places]) => [name, places.filter(isNeeded)] as const)
  return {
    confirmed: confirmed.filter(isNeeded),
    over: over.filter(isNeeded),
    delivered: new Map(left.filter(([, places]) => places.length > 0)),
  }
}
