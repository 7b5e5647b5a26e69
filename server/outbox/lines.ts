import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { EVENT_TYPES } from '../core/events.ts'

// A line is a checksum of 8 hex characters, a space, a letter for its kind, a space, and the rest:
//   i <index> <JSON>   an intent; the index is unique in its segment, and stays when the segment is compacted
//   m <JSON>           marks of intents in this segment or earlier ones
// After a crash, the end of a segment may be torn: the first line with another checksum ends it.

/** Where an intent is: `segment.index`. */
export type Place = string

const intentJson = z.object({
  id: z.string(),
  type: z.enum(EVENT_TYPES),
  /** The id of the upload, and when it was created. */
  upload: z.string(),
  createdAt: z.string(),
  /** Milliseconds since 1970. */
  at: z.number(),
  /** The only endpoint that it is for; all by default. */
  only: z.string().optional(),
  body: z.unknown(),
})

/** An event as it is written. */
export type WrittenEvent = Readonly<z.output<typeof intentJson>>

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
  readonly kind: 'intent' | 'marks'
  /** Of an intent. */
  readonly index: number
  /** Bytes from the beginning of the segment, with the line end. */
  readonly start: number
  readonly end: number
}

const SUM = 8
const NEWLINE = 0x0a
const INTENT = 'i'.charCodeAt(0)
const MARKS = 'm'.charCodeAt(0)
const SPACE = 0x20

export function intentLine(index: number, event: WrittenEvent): Buffer {
  return line(`i ${index} ${JSON.stringify(event)}`)
}

export function marksLine({ confirmed, over, delivered }: Marks): Buffer {
  const c = confirmed.length > 0 ? { c: confirmed } : {}
  const o = over.length > 0 ? { o: over } : {}
  const d = delivered.size > 0 ? { d: Object.fromEntries(delivered) } : {}
  return line(`m ${JSON.stringify({ ...c, ...o, ...d })}`)
}

/** The whole lines at the beginning of a segment; what follows them is torn. */
export function* linesIn(bytes: Buffer): Generator<Line> {
  let start = 0
  for (;;) {
    const newline = bytes.indexOf(NEWLINE, start)
    if (newline < 0) return
    const found = lineAt(bytes, start, newline + 1)
    if (found === undefined) return
    yield found
    start = newline + 1
  }
}

/** The line in these bytes; `undefined` if they are not exactly one. */
export function lineAt(bytes: Buffer, start: number, end: number): Line | undefined {
  const newline = end - 1
  if (newline - start < SUM + 4 || bytes[newline] !== NEWLINE || bytes[start + SUM + 2] !== SPACE) return undefined
  const sum = bytes.toString('latin1', start, start + SUM)
  if (sum !== sumOf(bytes.subarray(start + SUM + 1, newline))) return undefined
  const kind = bytes[start + SUM + 1]
  if (kind === MARKS) return { kind: 'marks', index: -1, start, end }
  if (kind !== INTENT) return undefined
  const space = bytes.indexOf(SPACE, start + SUM + 3)
  const index = Number(bytes.toString('latin1', start + SUM + 3, space))
  return Number.isSafeInteger(index) ? { kind: 'intent', index, start, end } : undefined
}

/** @throws Error when another program has written the line. */
export function eventIn(bytes: Buffer, { start, end }: Line): WrittenEvent {
  const space = bytes.indexOf(SPACE, start + SUM + 3)
  return intentJson.parse(JSON.parse(bytes.toString('utf8', space + 1, end)))
}

/** @throws Error when another program has written the line. */
export function marksIn(bytes: Buffer, { start, end }: Line): Marks {
  const { c = [], o = [], d = {} } = marksJson.parse(JSON.parse(bytes.toString('utf8', start + SUM + 3, end)))
  return { confirmed: c, over: o, delivered: new Map(Object.entries(d)) }
}

function line(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from(`${sumOf(bytes)} `), bytes, Buffer.from('\n')])
}

function sumOf(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(SUM, '0')
}
