import type { Context } from 'koa'
import type { RequestInfo } from './core/current-request.ts'

/** Describes a request for the application; only when that is needed. */
export function requestInfo(ctx: Context): () => RequestInfo {
  let info: RequestInfo | undefined
  return () => {
    info ??= {
      method: ctx.method,
      uri: ctx.path,
      remoteAddress: `${ctx.ip.includes(':') ? `[${ctx.ip}]` : ctx.ip}:${ctx.req.socket.remotePort ?? 0}`,
      headers: Object.fromEntries(
        Object.entries(ctx.req.headersDistinct).map(([name, values]) => [name, values ?? []]),
      ),
    }
    return info
  }
}
