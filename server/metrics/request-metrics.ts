import { STATUS_CODES } from 'node:http'
import { Histogram, type Registry } from 'prom-client'
import type { EndedRequest, RequestFeed, RunningRequest } from '../http/request-feed.ts'
import { counter, gauge, simpleCounter, Tally } from './tally.ts'

/** Seconds. Those of OpenTelemetry for HTTP servers, and two below. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

const METHODS: ReadonlySet<string> = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'])

/** Requests whose bodies are bytes of uploads. */
const INTAKE: ReadonlySet<string> = new Set(['/files', '/files/:id', '/upload/accept'])

/** The protocols that clients speak; `none` for requests that name none, such as downloads. */
export const PROTOCOLS: readonly EndedRequest['protocol'][] = ['tus', 'draft', 'webuploader', 'none']

/** Counts requests and their bytes. Labels are from fixed sets, whatever clients send. */
export function measureRequests(registry: Registry, feed: RequestFeed): void {
  const requests = new Tally()
  const errors = new Tally()
  const tusdRequests = new Tally()
  const tusdErrors = new Tally()
  const received = new Tally(PROTOCOLS.map((protocol) => ({ protocol })))
  let sent = 0
  const duration = new Histogram({
    name: 'landfall_request_duration_seconds',
    help: 'Duration of requests without bytes of uploads; of downloads, until their first byte.',
    labelNames: ['protocol', 'operation'],
    buckets: BUCKETS,
    registers: [registry],
  })
  feed.on((request) => {
    const { protocol, code } = request
    const method = METHODS.has(request.method) ? request.method : 'other'
    const status = request.status in STATUS_CODES ? String(request.status) : 'other'
    requests.add({ protocol, method, status })
    tusdRequests.add({ method })
    received.add({ protocol }, request.received)
    sent += request.sent
    if (code !== undefined) {
      errors.add({ code })
      tusdErrors.add({ status, code })
    }
    const operation = operationOf(request)
    if (operation === undefined) return
    const time = operation === 'download' ? request.firstByte : request.duration
    if (time !== undefined) duration.observe({ protocol, operation }, time / 1000)
  })
  const running = (sum: (request: RunningRequest) => number): number => {
    let total = 0
    for (const request of feed.running) total += sum(request)
    return total
  }
  const arriving = (): number => running((request) => request.received)
  counter(
    registry,
    {
      name: 'landfall_requests_total',
      help: 'Requests that have ended.',
      labelNames: ['protocol', 'method', 'status'],
    },
    () => requests.counts,
  )
  counter(
    registry,
    { name: 'landfall_errors_total', help: 'Error responses, by the code in Upload-Error.', labelNames: ['code'] },
    () => errors.counts,
  )
  counter(
    registry,
    {
      name: 'landfall_received_bytes_total',
      help: 'Bytes of request bodies, also of requests that are running or were aborted.',
      labelNames: ['protocol'],
    },
    function* () {
      yield* received.counts
      for (const request of feed.running) yield { labels: { protocol: request.protocol }, value: request.received }
    },
  )
  simpleCounter(
    registry,
    { name: 'landfall_sent_bytes_total', help: 'Bytes of response bodies, also of running downloads.' },
    () => sent + running((request) => request.sent),
  )
  gauge(registry, { name: 'landfall_uploads_receiving', help: 'Requests whose bytes are arriving.' }, () =>
    running((request) => (request.intake === 'receiving' && INTAKE.has(request.route ?? '') ? 1 : 0)),
  )
  gauge(registry, { name: 'landfall_uploads_waiting', help: 'Requests that wait because of MAX_UPLOADS.' }, () =>
    running((request) => (request.intake === 'waiting' ? 1 : 0)),
  )
  counter(
    registry,
    { name: 'tusd_requests_total', help: 'Requests by method, as tusd names them.', labelNames: ['method'] },
    () => tusdRequests.counts,
  )
  counter(
    registry,
    { name: 'tusd_errors_total', help: 'Error responses, as tusd names them.', labelNames: ['status', 'code'] },
    () => tusdErrors.counts,
  )
  simpleCounter(
    registry,
    { name: 'tusd_bytes_received', help: 'Bytes of request bodies, as tusd names them.' },
    () => received.total + arriving(),
  )
}

/** What a request has done, if its duration does not depend on bytes of an upload. */
function operationOf({ method, route, received, code, isAborted }: EndedRequest): string | undefined {
  if (isAborted && method !== 'GET') return undefined
  switch (`${method} ${route}`) {
    case 'HEAD /files/:id':
      return 'head'
    case 'POST /files':
    case 'PUT /files':
      return received === 0 ? 'create' : undefined
    case 'DELETE /files/:id':
      return 'delete'
    case 'GET /files/:id':
      return code === undefined ? 'download' : undefined
    case 'POST /check':
      return 'check'
    case 'GET /upload/complete':
    case 'POST /upload/complete':
      return 'complete'
    default:
      return undefined
  }
}
