import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Context, Middleware } from 'koa'
import type { ErrorCode } from '../core/errors.ts'
import type { EndedRequest, RequestFeed, RunningRequest } from './request-feed.ts'

/** The protocol that a client speaks. */
export type WireProtocol = EndedRequest['protocol']

/** What becomes known of a request while it runs. */
export interface Trace extends RunningRequest {
  /** Of several, the last. */
  upload: string | undefined
  owner: string | undefined
  /** Of the error that is the response. */
  code: ErrorCode | undefined
  route: string | undefined
  received: number
  sent: number
  intake: RunningRequest['intake']
  /** What the connection has sent in place of the application's response: the body is malformed. */
  refusal: Pick<EndedRequest, 'status' | 'code'> | undefined
  /** Notes that the head of the response is written. */
  noteHead(): void
}

/** Ids of requests that proxies have chosen; others are replaced. */
const REQUEST_ID = /^[\w.:=+/-]{1,128}$/

/** The id of a request: that of a proxy in front, if its `X-Request-Id` is valid. */
export function requestIdFor(given: string | readonly string[] | undefined): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
}

const traces = new WeakMap<IncomingMessage, Trace>()

/** What is known of a request; `undefined` for those that the middleware has not seen. */
export function traceOf(request: IncomingMessage): Trace | undefined {
  return traces.get(request)
}

/**
 * Gives each request an id, that of a proxy in front if it has one, and reports it when it has ended.
 *
 * @param protocolOf the protocol of a request.
 */
export function traceRequests(feed: RequestFeed, protocolOf: (ctx: Context) => WireProtocol): Middleware {
  return (ctx, next) => {
    const trace = new RequestTrace(ctx, protocolOf)
    traces.set(ctx.req, trace)
    ctx.res.setHeader('X-Request-Id', trace.id)
    return feed.isHeard ? reported(ctx, trace, feed, next) : next()
  }
}

class RequestTrace implements Trace {
  readonly id: string
  upload: string | undefined
  owner: string | undefined
  code: ErrorCode | undefined
  route: string | undefined
  received = 0
  sent = 0
  intake: Trace['intake']
  refusal: Trace['refusal']
  /** Milliseconds, by `performance.now()`. */
  headAt: number | undefined
  readonly #ctx: Context
  readonly #protocolOf: (ctx: Context) => WireProtocol

  constructor(ctx: Context, protocolOf: (ctx: Context) => WireProtocol) {
    this.id = requestIdFor(ctx.req.headers['x-request-id'])
    this.#ctx = ctx
    this.#protocolOf = protocolOf
  }

  get method(): string {
    return this.#ctx.method
  }

  get protocol(): WireProtocol {
    return this.#protocolOf(this.#ctx)
  }

  get address(): string {
    return this.#ctx.ip
  }

  noteHead(): void {
    this.headAt ??= performance.now()
  }
}

async function reported(
  ctx: Context,
  trace: RequestTrace,
  feed: RequestFeed,
  next: () => Promise<unknown>,
): Promise<void> {
  const begun = performance.now()
  const { res } = ctx
  feed.begin(trace)
  res.once('close', () => {
    const { id, method, protocol, address, upload, owner, code, route, received } = trace
    const { headAt, refusal } = trace
    feed.end(trace, {
      id,
      method,
      protocol,
      address,
      upload,
      owner,
      code,
      route,
      received,
      status: res.statusCode,
      ...refusal,
      sent: trace.sent > 0 ? trace.sent : lengthOf(ctx),
      firstByte: res.headersSent && headAt !== undefined ? headAt - begun : undefined,
      duration: performance.now() - begun,
      isAborted: refusal === undefined && !res.writableFinished,
    })
  })
  await next()
  // Koa writes the head now, unless the handler has.
  trace.noteHead()
}

/** Bytes of the body of a response that is not streamed. */
function lengthOf({ method, res }: Context): number {
  if (method === 'HEAD' || !res.headersSent || res.statusCode === 304) return 0
  const length = Number(res.getHeader('Content-Length') ?? 0)
  return Number.isSafeInteger(length) ? length : 0
}
