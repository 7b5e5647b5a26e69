import { z } from 'zod'
import { add, type Range, type Ranges } from '../../server/core/ranges.ts'
import type { Line } from './recorder-log.ts'
import type { SentFile } from './workload.ts'

/** The facts that the clients of one file have received up to a moment. */
export interface Facts {
  created: boolean
  /** Whether its length was acknowledged. */
  hasLength: boolean
  acknowledged: Ranges
  finished: boolean
  removal: 'none' | 'asked' | 'done'
}

const legacyAnswer = z.object({ finished: z.boolean().optional() })

/** The facts in the responses that were sent before line `at` of the recording, by the number of the file. */
export function factsAt(lines: readonly Line[], at: number, files: readonly SentFile[]): Facts[] {
  const facts = files.map(
    (): Facts => ({ created: false, hasLength: false, acknowledged: [], finished: false, removal: 'none' }),
  )
  // Its parts are removed with a final upload.
  const removed = (file: number, removal: 'asked' | 'done'): void => {
    const gone = files[file]
    for (const each of gone === undefined ? [] : [gone, ...gone.parts]) {
      const known = facts[files.indexOf(each)]
      if (known !== undefined) known.removal = removal
    }
  }
  const requests = new Map<string, Line & { at: 'request' }>()
  for (const line of lines.slice(0, at)) {
    if (line.at === 'request') {
      requests.set(line.id, line)
      if (line.method === 'DELETE') removed(fileOf(line), 'asked')
    }
    if (line.at !== 'answer') continue
    const request = requests.get(line.id)
    if (request === undefined) continue
    if (request.method === 'DELETE' && line.status < 300) removed(fileOf(request), 'done')
    const [known, file] = [facts[fileOf(request)], files[fileOf(request)]]
    if (known === undefined || file === undefined || line.status >= 300 || request.method === 'DELETE') continue
    note(known, file, request, line)
  }
  return facts
}

function fileOf({ headers }: Line & { at: 'request' }): number {
  return Number(headers['x-file'] ?? -1)
}

function note(known: Facts, file: SentFile, request: Line & { at: 'request' }, answer: Line & { at: 'answer' }): void {
  known.created = true
  if (file.kind === 'webuploader') noteChunk(known, file, request, answer)
  else noteOffset(known, file, request, answer)
}

function noteChunk(known: Facts, file: SentFile, request: Line & { at: 'request' }, answer: Line & { at: 'answer' }) {
  known.hasLength = true
  const range = request.headers['x-range']
  if (range !== undefined) known.acknowledged = add(known.acknowledged, parseRange(String(range)))
  const isComplete = request.url.startsWith('/upload/complete')
  if (isComplete || legacyAnswer.parse(JSON.parse(answer.body)).finished) noteFinished(known, file)
}

function noteOffset(known: Facts, file: SentFile, request: Line & { at: 'request' }, answer: Line & { at: 'answer' }) {
  if (request.headers['upload-length'] !== undefined || file.kind === 'final') known.hasLength = true
  const offset = answer.headers['upload-offset']
  if (offset === undefined) return
  known.acknowledged = add(known.acknowledged, { start: 0, end: Number(offset) })
  const isWhole = known.hasLength && Number(offset) === file.content.length
  if (isWhole && file.kind !== 'part') noteFinished(known, file)
}

function noteFinished(known: Facts, file: SentFile): void {
  known.finished = true
  known.acknowledged = add([], { start: 0, end: file.content.length })
}

function parseRange(text: string): Range {
  const [start = 0, end = 0] = text.split('-').map(Number)
  return { start, end }
}
