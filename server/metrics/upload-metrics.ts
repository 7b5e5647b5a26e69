import { Histogram, type Registry } from 'prom-client'
import type { Callers } from '../core/callers.ts'
import { EVENT_TYPES, type Events, type UploadEvent } from '../core/events.ts'
import { FAILURE_CODES } from '../core/record.ts'
import type { EndedRequest, RequestFeed } from '../http/request-feed.ts'
import type { Trace } from '../http/trace.ts'
import { KnownUploads } from './known-uploads.ts'
import { PROTOCOLS } from './request-metrics.ts'
import { counter, simpleCounter, Tally } from './tally.ts'

const KIB = 1024
/** Bytes: 64 KiB to 1 TiB, in steps of 4. */
const SIZES = Array.from({ length: 13 }, (_, step) => 64 * KIB * 4 ** step)
/** Seconds: to 24 hours. */
const DURATIONS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400]
const REQUESTS = [1, 2, 3, 5, 10, 20, 50, 100, 1_000, 10_000]

/** Classes of sizes for durations: a large file takes longer. */
const CLASSES = [
  { name: '1MiB', most: KIB ** 2 },
  { name: '100MiB', most: 100 * KIB ** 2 },
  { name: '10GiB', most: 10 * KIB ** 3 },
] as const

/** Counts what happens to uploads. */
export function measureUploads(registry: Registry, events: Events, feed: RequestFeed, callers: Callers<Trace>): void {
  const uploads = new KnownUploads()
  const ends = { created: byProtocol(), finished: byProtocol(), deleted: byProtocol(), expired: byProtocol() }
  const failed = new Tally(FAILURE_CODES.map((reason) => ({ reason })))
  const sizes = new Histogram({
    name: 'landfall_upload_size_bytes',
    help: 'Sizes of finished files.',
    labelNames: ['protocol'],
    buckets: SIZES,
    registers: [registry],
  })
  const durations = new Histogram({
    name: 'landfall_upload_duration_seconds',
    help: 'From the creation of an upload to its finished file, by classes of sizes: up to 1 MiB, 100 MiB, 10 GiB, more.',
    labelNames: ['size'],
    buckets: DURATIONS,
    registers: [registry],
  })
  const requests = new Histogram({
    name: 'landfall_upload_requests',
    help: 'Requests that brought the bytes of a finished file; of uploads that this process has created.',
    labelNames: ['protocol'],
    buckets: REQUESTS,
    registers: [registry],
  })
  const observeRequests = (id: string): void => {
    const known = uploads.get(id)
    // An empty file has no request with bytes.
    if (known !== undefined) requests.observe({ protocol: known.protocol }, Math.max(1, known.requests))
    uploads.forget(id)
  }
  feed.on(({ upload, received, route }) => {
    if (upload === undefined || received === 0 || route === '/check') return
    if (uploads.count(upload)?.isFinished) observeRequests(upload)
  })
  events.on(COUNTED, (event) => {
    const { type, upload, at } = event
    const { id, length, createdAt } = upload.record
    const caller = callers.of(id)
    if (type === 'created') uploads.add(id, caller?.protocol ?? 'none')
    if (type === 'failed' || type === 'rejected') failed.add({ reason: upload.record.failed?.code ?? type })
    const known = uploads.get(id)
    const protocol = known?.protocol ?? protocolOf(event, caller)
    if (type === 'created' || type === 'finished' || type === 'deleted' || type === 'expired')
      ends[type].add({ protocol })
    if (type !== 'finished') {
      if (type !== 'created') uploads.forget(id)
      return
    }
    const size = length ?? upload.offset
    sizes.observe({ protocol }, size)
    durations.observe({ size: classOf(size) }, Math.max(0, at.getTime() - Date.parse(createdAt)) / 1000)
    // The request that brought the last byte is counted when it ends.
    if (known !== undefined && caller !== undefined) known.isFinished = true
    else observeRequests(id)
  })
  for (const [end, counts] of Object.entries(ends)) {
    counter(
      registry,
      { name: `landfall_uploads_${end}_total`, help: `Uploads that were ${end}.`, labelNames: ['protocol'] },
      () => counts.counts,
    )
  }
  counter(
    registry,
    { name: 'landfall_uploads_failed_total', help: 'Uploads that can never finish.', labelNames: ['reason'] },
    () => failed.counts,
  )
  const tusd = { created: ends.created, finished: ends.finished, terminated: ends.deleted }
  for (const [name, counts] of Object.entries(tusd)) {
    simpleCounter(
      registry,
      { name: `tusd_uploads_${name}`, help: `Uploads ${name}, as tusd names them.` },
      () => counts.total,
    )
  }
}

const COUNTED = EVENT_TYPES.filter((type) => type !== 'progress')

function byProtocol(): Tally {
  return new Tally(PROTOCOLS.map((protocol) => ({ protocol })))
}

/** The protocol of an upload that an earlier process has created, as far as its record or the request tells. */
function protocolOf({ upload: { record } }: UploadEvent, caller: Trace | undefined): EndedRequest['protocol'] {
  return record.webUploader === undefined ? (caller?.protocol ?? 'none') : 'webuploader'
}

function classOf(size: number): string {
  return CLASSES.find(({ most }) => size <= most)?.name ?? 'more'
}
