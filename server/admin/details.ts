import { chunkSetOf, chunksOf } from '../../legacy-adapter/page-record.ts'
import { EVENT_TYPES, eventId } from '../core/events.ts'
import { lengthOf } from '../core/ranges.ts'
import type { KeptEvents } from '../kept-events.ts'
import { MAX_RANGES, type UploadDetails } from './contract.ts'
import type { LiveUploads } from './live-uploads.ts'
import type { RequestHistory } from './request-history.ts'
import { lineOf, offsetOf, rowOf, type UploadFacts } from './upload-facts.ts'

/** So many dead letters of an upload are shown. */
const MAX_DEAD = 100

/** Where the details of an upload come from. */
export interface DetailSources {
  readonly live: LiveUploads
  readonly history: RequestHistory
  readonly events: KeptEvents
  /** Milliseconds. */
  readonly expiresAfter: number
  readonly hasScanner: boolean
  /** Whether the application decides about files. */
  readonly hasDecision: boolean
}

/** Everything about one upload. @throws UploadError `storage_error`; S3Error. */
export async function detailsOf(facts: UploadFacts, sources: DetailSources): Promise<UploadDetails> {
  const { record, received, state, finishedAt, path = null, object = null, live } = facts
  const { metadata, digests = {}, fileName, folder = null, final = null, parts = null, failed } = record
  const { requests, errors } = sources.history.of(record.id)
  return {
    ...lineOf(rowOf(facts), sources.expiresAfter, failed?.message),
    offset: state === 'finished' ? (record.length ?? 0) : offsetOf(facts),
    ranges: received.slice(0, MAX_RANGES).map(({ start, end }): [number, number] => [start, end]),
    rangesTruncated: received.length > MAX_RANGES,
    rate: sources.live.rateOf(record.id),
    activeRequests: live?.receiving.running ?? 0,
    requests,
    errors: [...errors],
    chunks: chunksIn(facts),
    metadata: { ...metadata },
    digests: { ...digests },
    fileName,
    folder,
    path,
    object: object === null ? null : { ...object },
    finishedAt: finishedAt?.toISOString() ?? null,
    isPart: record.partial === true,
    final,
    parts: parts === null ? null : [...parts],
    isOpen: live !== undefined,
    canRelease: await facts.canRelease(),
    hooks: verdictsOf(facts, sources),
    webhooks: { dead: await deadLettersOf(facts, sources.events) },
  }
}

/** The chunks of a WebUploader file. */
function chunksIn({ record, received }: UploadFacts): UploadDetails['chunks'] {
  if (record.webUploader === undefined) return null
  const chunks = chunksOf(record)
  const runs = chunkSetOf({ record, received })
  return {
    chunks,
    chunkSize: record.webUploader.chunkSize ?? (chunks === 1 ? record.length : null),
    received: runs.slice(0, MAX_RANGES).map(({ start, end }): [number, number] => [start, end]),
    receivedCount: runs.reduce((sum, run) => sum + lengthOf(run), 0),
  }
}

/** The scan comes first; the application is asked about clean files only. */
function verdictsOf(
  { record: { scan, released }, state }: UploadFacts,
  { hasScanner, hasDecision }: DetailSources,
): UploadDetails['hooks'] {
  const isOver = state === 'finished' && released === undefined
  const isClean = scan === 'clean' || isOver
  const isRefused = state === 'rejected' || released === true
  const scanned = !hasScanner ? 'none' : isClean ? 'clean' : isRefused ? 'rejected' : 'pending'
  const isAsked = hasDecision && (!hasScanner || isClean)
  const application = isOver ? 'accepted' : isRefused && isAsked ? 'rejected' : 'pending'
  return { scan: scanned, application: hasDecision ? application : 'none' }
}

/** The ids of its events are known, so no other letter has to be read. */
async function deadLettersOf({ record }: UploadFacts, events: KeptEvents): Promise<UploadDetails['webhooks']['dead']> {
  const upload = { record, offset: 0, path: undefined }
  const ids = EVENT_TYPES.map((type) => eventId({ type, upload, at: new Date(0), request: undefined }))
  const names = (await events.deadLetters()).filter((name) => ids.some((id) => name.startsWith(`${id}.`)))
  const letters = await Promise.all(
    names.slice(0, MAX_DEAD).map(async (name) => ({ name, letter: await events.deadLetter(name) })),
  )
  return letters.flatMap(({ name, letter }) =>
    letter === undefined
      ? []
      : [{ event: letter.type, deadLetter: letterIdOf(name), at: new Date(letter.at).toISOString(), why: letter.why }],
  )
}

/** A store may name it with an ending. */
export function letterIdOf(name: string): string {
  return name.replace(/\.json$/, '')
}
