import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { ifThere } from '../disk/files.ts'
import { linesIn, type Marks, marksIn } from './lines.ts'
import { parsePlace, Segment } from './segment.ts'

const NAME = /^\d{12}\.log$/

export interface LoadOptions {
  /** The folder of the outbox. */
  readonly folder: string
  /** The names of all endpoints. */
  readonly endpoints: readonly string[]
  /** Receives notices for the operator. */
  readonly onNotice: (sentence: string) => void
}

/**
 * Reads all segments, by number, and changes none. A torn end is left behind. A segment that a running service removes
 * meanwhile has no event to deliver.
 *
 * @throws the OS error.
 */
export async function loadSegments({ folder, endpoints, onNotice }: LoadOptions): Promise<Map<number, Segment>> {
  const segments = new Map<number, Segment>()
  for (const number of await segmentNumbers(folder)) {
    const segment = new Segment(number, pathOf(folder, number))
    const bytes = await ifThere(() => readFile(segment.path))
    if (bytes === undefined) continue
    segments.set(number, segment)
    for (const marks of marksOf(segment, bytes, onNotice)) apply(marks, segments, endpoints)
  }
  return segments
}

/** The path of a segment. */
export function pathOf(folder: string, number: number): string {
  return path.join(folder, `${String(number).padStart(12, '0')}.log`)
}

/** Whether a file is a segment, by its name. */
export function isSegmentName(name: string): boolean {
  return NAME.test(name)
}

export function foreignLine({ path }: Segment): string {
  return `${path} has a line that another version has written: it is skipped.`
}

async function segmentNumbers(folder: string): Promise<readonly number[]> {
  const names = ((await ifThere(() => readdir(folder))) ?? []).filter(isSegmentName)
  return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b)
}

/** Adds the intents of a segment. @returns its marks, in order. */
function* marksOf(segment: Segment, bytes: Buffer, onNotice: (sentence: string) => void): Generator<Marks> {
  let isDamaged = false
  for (const line of linesIn(bytes)) {
    if (line.kind === 'damaged') {
      isDamaged = true
      continue
    }
    if (isDamaged) onNotice(`${segment.path} has damaged lines; landfall doctor lists them.`)
    isDamaged = false
    segment.size = line.end
    const marks = line.kind === 'marks' ? marksIn(bytes, line) : undefined
    if (marks !== undefined) yield marks
    else if (line.kind === 'intent' && !segment.has(line.index)) segment.add(line.index)
    else onNotice(foreignLine(segment))
  }
}

function apply(
  { confirmed, over, delivered }: Marks,
  segments: ReadonlyMap<number, Segment>,
  endpoints: readonly string[],
): void {
  const at = (place: string, work: (segment: Segment, index: number) => void): void => {
    const { number, index } = parsePlace(place)
    const segment = segments.get(number)
    if (segment !== undefined) work(segment, index)
  }
  for (const place of confirmed) at(place, (segment, index) => segment.confirm(index))
  for (const place of over) at(place, (segment, index) => segment.end(index))
  for (const [name, places] of delivered) {
    const endpoint = endpoints.indexOf(name)
    if (endpoint < 0) continue
    for (const place of places) {
      at(place, (segment, index) => {
        if (segment.deliver(index, endpoint, endpoints.length)) segment.end(index)
      })
    }
  }
}
