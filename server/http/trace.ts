import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Context, Middleware } from 'koa'
import type { ErrorCode } from '../core/errors.ts'
import type { EndedRequest, RequestFeed } from './request-feed.ts'

/** What becomes known of a request while it runs. */
export interface Trace {
  readonly id: string
  /** The id of the upload that the request reached. */
  upload: string | undefined
  /** Who sent it, if the client is known. */
  owner: string | undefined
  /** Of the error that is the response. */
  code: ErrorCode | undefined
  /** The path of its route. */
  route: string | undefined
}

/** Ids of requests that proxies have chosen; others are replaced. */
const REQUEST_ID = /^[\w.:=+/-]{1,128}$/

const traces = new WeakMap<IncomingMessage, Trace>()

/** What is known of a request; `undefined` for those that the middleware has not seen. */
export function traceOf(request: IncomingMessage): Trace | undefined {
  return traces.get(request)
}

/**
 * Gives each request an id, that of a proxy in front if it has one, and reports it when it has ended.
 *
 * @param protocolOf the protocol of a request, when it has ended.
 */
export function traceRequests(feed: RequestFeed, protocolOf: (ctx: Context) => EndedRequest['protocol']): Middleware {
  return (ctx, next) => {
    const given = ctx.get('X-Request-Id')
    const trace: Trace = {
      id: REQUEST_ID.test(given) ? given : randomUUID(),
      upload: undefined,
      owner: undefined,
      code: undefined,
      route: undefined,
    }
    traces.set(ctx.req, trace)
    ctx.res.setHeader('X-Request-Id', trace.id)
    if (feed.isHeard) reportEnd(ctx, trace, feed, protocolOf)
    return next()
  }
}

function reportEnd(
  ctx: Context,
  trace: Trace,
  feed: RequestFeed,
  protocolOf: (ctx: Context) => EndedRequest['protocol'],
): void {
  const begun = performance.now()
  ctx.res.once('close', () => {
    feed.emit({
      ...trace,
      method: ctx.method,
      protocol: protocolOf(ctx),
      status: ctx.res.statusCode,
      address: ctx.ip,
      received: 0,
      sent: 0,
      firstByte: undefined,
      duration: performance.now() - begun,
      isAborted: !ctx.res.writableFinished,
    })
  })
}
