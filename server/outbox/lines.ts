import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { type WrittenEvent, writtenEvent } from '../core/written-event.ts'

// A line is a checksum of 8 hex characters, a space, a letter for its kind, a space, and the rest:
//   i <index> <JSON>   an intent; the index is unique in its segment, and stays when the segment is compacted
//   m <JSON>           marks of intents in this segment or earlier ones
// A line with another checksum is damaged. After a crash, the end of a segment may be torn: it is such lines only.

/** Where an intent is: `segment.index`. */
export type Place = string

const marksJson = z.object({
  /** Confirmed. */
  c: z.array(z.string()).optional(),
  /** Over: cancelled, or delivered to all endpoints. */
  o: z.array(z.string()).optional(),
  /** Delivered, by endpoint. */
  d: z.record(z.string(), z.array(z.string())).optional(),
})

/** What has become of intents. */
export interface Marks {
  readonly confirmed: readonly Place[]
  readonly over: readonly Place[]
  readonly delivered: ReadonlyMap<string, readonly Place[]>
}

/** A line of a segment, without its text. */
export interface Line {
  /** `foreign`: whole, but of a kind that this version does not know. */
  readonly kind: 'intent' | 'marks' | 'foreign' | 'damaged'
  /** Of an intent. */
  readonly index: number
  /** Bytes from the beginning of the segment, with the line end. */
  readonly start: number
  readonly end: number
}

const SUM = 8
const NEWLINE = 0x0a
const SPACE = 0x20
/** The beginning of what this version knows, and the length of the longest. */
const KIND = /^(?:m|i (\d{1,15})) /
const LONGEST_KIND = 18

export function intentLine(index: number, event: WrittenEvent): Buffer {
  return line(`i ${index} ${JSON.stringify(event)}`)
}

export function marksLine({ confirmed, over, delivered }: Marks): Buffer {
  const c = confirmed.length > 0 ? { c: confirmed } : {}
  const o = over.length > 0 ? { o: over } : {}
  const d = delivered.size > 0 ? { d: Object.fromEntries(delivered) } : {}
  return line(`m ${JSON.stringify({ ...c, ...o, ...d })}`)
}

/** The lines of a segment, except an end without a line end. */
export function* linesIn(bytes: Buffer): Generator<Line> {
  let start = 0
  for (;;) {
    const newline = bytes.indexOf(NEWLINE, start)
    if (newline < 0) return
    yield lineAt(bytes, start, newline + 1)
    start = newline + 1
  }
}

/** The line in these bytes. */
export function lineAt(bytes: Buffer, start: number, end: number): Line {
  const newline = end - 1
  const sum = bytes.toString('latin1', start, start + SUM)
  const isWhole = newline - start > SUM && bytes[newline] === NEWLINE && bytes[start + SUM] === SPACE
  if (!isWhole || sum !== sumOf(bytes.subarray(start + SUM + 1, newline))) {
    return { kind: 'damaged', index: -1, start, end }
  }
  const kind = KIND.exec(bytes.toString('latin1', start + SUM + 1, Math.min(newline, start + SUM + 1 + LONGEST_KIND)))
  if (kind === null) return { kind: 'foreign', index: -1, start, end }
  const [, index] = kind
  return index === undefined
    ? { kind: 'marks', index: -1, start, end }
    : { kind: 'intent', index: Number(index), start, end }
}

/** @returns `undefined` when this version does not know such an event. */
export function eventIn(bytes: Buffer, { start, end }: Line): WrittenEvent | undefined {
  const space = bytes.indexOf(SPACE, start + SUM + 3)
  return writtenEvent.safeParse(parsed(bytes.toString('utf8', space + 1, end))).data
}

/** @returns `undefined` when this version does not know such marks. */
export function marksIn(bytes: Buffer, { start, end }: Line): Marks | undefined {
  const { data } = marksJson.safeParse(parsed(bytes.toString('utf8', start + SUM + 3, end)))
  if (data === undefined) return undefined
  const { c = [], o = [], d = {} } = data
  return { confirmed: c, over: o, delivered: new Map(Object.entries(d)) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function line(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from(`${sumOf(bytes)} `), bytes, Buffer.from('\n')])
}

function sumOf(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(SUM, '0')
}
