import type { Context } from 'koa'
import { endsByLength, interopVersion } from './draft/headers.ts'
import type { Dialect } from './http/error-status.ts'
import { protocolOf } from './protocol/protocol.ts'

/** How the client of a request expects errors to be reported. */
export function dialectOf(request: Pick<Context, 'method' | 'path' | 'headers'>): Dialect {
  if (/^\/(upload\/|check$)/.test(request.path)) return 'legacy'
  const protocol = protocolOf(request)
  if (protocol === 'draft' && endsByLength(interopVersion(request.headers))) return 'early-draft'
  return protocol ?? (isDraftByMethod(request) ? 'draft' : 'tus')
}

/** Whether clients of the published RFC send such a request to an upload, without a protocol header. */
function isDraftByMethod({ method, path }: Pick<Context, 'method' | 'path'>): boolean {
  return (method === 'HEAD' || method === 'DELETE') && /^\/files\/[^/]+\/?$/.test(path)
}
