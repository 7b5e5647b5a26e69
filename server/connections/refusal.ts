import { type IncomingHttpHeaders, type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Logger } from 'pino'
import { systemCode, UploadError } from '../core/errors.ts'
import { pathBelow } from '../http/base-path.ts'
import { type AllowedOrigins, corsHeaders, EXPOSE_HEADERS } from '../http/cors.ts'
import { errorResponse, logError } from '../http/error-response.ts'
import type { Dialect } from '../http/error-status.ts'
import type { EndedRequest, RequestFeed } from '../http/request-feed.ts'
import { SECURITY_HEADERS } from '../http/security-headers.ts'
import { requestIdFor, traceOf } from '../http/trace.ts'
import { MAX_HEAD_BYTES } from './request-head.ts'

/** The known parts of a request that could not be parsed. */
export interface PartOfRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
}

/** A request that a connection refuses. */
export interface RefusedRequest extends PartOfRequest {
  /** Of the connection; empty if it has none. */
  readonly address: string
  /** The request, if the application has received it: only its body is malformed. */
  readonly running?: IncomingMessage
  /** Whether the client has sent anything: browsers also open connections in advance. */
  readonly hasBegun: boolean
}

/**
 * Creates the response to a request that the application does not answer: a complete message that closes the connection.
 * Counts and logs the request.
 */
export type Refuse = (error: UploadError, request: RefusedRequest) => string

/** What refusals need of the service. */
export interface Refusing {
  readonly log: Logger
  readonly allowedOrigins: AllowedOrigins
  /** How to report errors to the client of such a request. */
  readonly dialectOf: (request: PartOfRequest) => Dialect
  /** The protocol of such a request, for statistics. */
  readonly protocolOf: (request: PartOfRequest) => EndedRequest['protocol']
  /** The path of the service; empty for none. */
  readonly basePath: string
  /** Receives each refused request. */
  readonly feed: RequestFeed
}

/** Refuses requests that Node cannot parse: in the place of the application's error exit. */
export function refusals({ log, allowedOrigins, dialectOf, protocolOf, basePath, feed }: Refusing): Refuse {
  return (error, received) => {
    const request = { ...received, path: pathBelow(basePath, received.path) }
    const { method, path, running } = request
    const { status, headers, body } = errorResponse(
      error,
      path.startsWith('/files') ? dialectOf(request) : 'legacy',
      method,
    )
    const sent = method === 'HEAD' ? '' : body
    const trace = running && traceOf(running)
    const id = trace?.id ?? requestIdFor(request.headers['x-request-id'])
    logError(log, error, { status, method, path, request: id, upload: trace?.upload })
    if (trace !== undefined) trace.refusal = { status, code: error.code }
    else if (request.hasBegun) {
      feed.emit({
        id,
        method,
        route: undefined,
        protocol: protocolOf(request),
        status,
        code: error.code,
        upload: undefined,
        owner: undefined,
        address: request.address,
        received: 0,
        sent: Buffer.byteLength(sent),
        firstByte: undefined,
        duration: undefined,
        isAborted: false,
      })
    }
    const cors = corsHeaders(allowedOrigins, request.headers.origin ?? onlyOrigin(allowedOrigins))
    const all = {
      'X-Request-Id': id,
      ...SECURITY_HEADERS,
      ...headers,
      ...cors,
      ...(Object.keys(cors).length > 0 && EXPOSE_HEADERS),
      Vary: 'Origin',
      Date: new Date().toUTCString(),
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
    }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${sent}`
  }
}

/** The only allowed origin, for requests of unknown origin: naming it lets no other page read the response. */
function onlyOrigin(allowed: AllowedOrigins): string {
  if (allowed === '*') return '*'
  const [only = ''] = allowed
  return allowed.size === 1 ? only : ''
}

/** The error for the client, from an error of Node's parser or timers; `undefined` if the connection itself failed. */
export function parseFault(error: Error): UploadError | undefined {
  const code = systemCode(error) ?? ''
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new UploadError('header_too_large', `The request line and headers exceed ${MAX_HEAD_BYTES} bytes.`)
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return new UploadError('too_large', 'The extensions of the chunked coding are too long.')
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new UploadError('idle_timeout', 'The headers of the request did not arrive in time.')
  }
  if (!code.startsWith('HPE_')) return undefined
  return new UploadError('bad_request', 'The request is not valid HTTP/1.1.')
}

const REQUEST_LINE = /(?:^|\n)([A-Z-]{1,30}) (\/[^ \r\n]*) HTTP\/1\.[01]\r?\n/g
/** How many of the malformed bytes are searched. */
const MAX_SEARCHED_BYTES = 64 * 1024

/** Extracts what the malformed bytes reveal of the request; of several requests, the last. */
export function requestIn(error: Error): PartOfRequest {
  const packet = 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket : Buffer.alloc(0)
  const text = packet.toString('latin1', 0, MAX_SEARCHED_BYTES)
  const line = [...text.matchAll(REQUEST_LINE)].at(-1)
  const [, method = '', target = ''] = line ?? []
  const [head = ''] = text.slice(line === undefined ? 0 : line.index + line[0].length).split(/\r?\n\r?\n/)
  const headers: Record<string, string> = {}
  for (const [, name = '', value = ''] of head.matchAll(/^([\w-]{1,60}):[ \t]*([^\r\n]{0,500})\r?$/gm)) {
    headers[name.toLowerCase()] = value
  }
  return { method, path: target.split('?')[0] ?? '', headers }
}
