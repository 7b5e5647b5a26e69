import type { Random } from '../support/random.ts'
import type { Body, Piece } from './client.ts'

/** Sends the bodies of one run of the program. */
export interface Manner {
  readonly random: Random
  /** Whether a body may stop here until the program is killed; true only a few times. */
  readonly mayStall: () => boolean
}

/**
 * A body in pieces of all sizes, some with pauses between them, some in one go.
 *
 * @param marks where a piece must end, so a kill can occur exactly there.
 * @param onSend called with each piece, as a range of the body, right before it is sent.
 */
export function slowly(
  bytes: Buffer,
  marks: readonly number[],
  manner: Manner,
  onSend: (start: number, end: number) => void,
): Body {
  const { random } = manner
  const inOneGo = random.chance(0.2)
  const longest = inOneGo ? bytes.length : random.size(512, 128 * 1024)
  const pieces: Piece[] = []
  for (const [start, end] of cuts(bytes.length, marks, longest)) {
    const isMark = marks.includes(end)
    const rest = isMark ? random.chance(0.4) : !inOneGo && random.chance(0.3)
    pieces.push({
      bytes: bytes.subarray(start, end),
      pause: rest ? random.whole(1, 6) : 0,
      onSend: () => onSend(start, end),
    })
  }
  const announced = random.chance(0.15) ? undefined : bytes.length
  if (!manner.mayStall()) return { pieces, announced, end: 'whole' }
  // Always before the last piece.
  const stops = [...pieces.keys()].slice(0, -1)
  const atMarks = stops.filter((i) => marks.includes(endOf(pieces, i)))
  const stop = random.shuffled(random.chance(0.7) && atMarks.length > 0 ? atMarks : stops)[0]
  return { pieces: stop === undefined ? [] : pieces.slice(0, stop + 1), announced, end: 'stall' }
}

function endOf(pieces: readonly Piece[], index: number): number {
  return pieces.slice(0, index + 1).reduce((sum, piece) => sum + piece.bytes.length, 0)
}

function* cuts(length: number, marks: readonly number[], longest: number): Generator<[number, number]> {
  let start = 0
  for (const mark of [...marks.filter((m) => m > 0 && m < length), length]) {
    for (; start < mark; start = Math.min(mark, start + longest)) yield [start, Math.min(mark, start + longest)]
  }
}
