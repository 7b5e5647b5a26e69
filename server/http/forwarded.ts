import type { IncomingMessage } from 'node:http'
import type { Context, Middleware } from 'koa'
import { single } from './header-values.ts'
import { mountPathOf, plainPath } from './mount-path.ts'

/** Which proxy headers to trust: none, `X-Forwarded-*`, or `Forwarded` (RFC 7239). */
export type TrustProxy = 'false' | 'true' | 'forwarded'

/** The client's request, as the trusted proxy reports it. */
export interface ForwardedRequest {
  /** The client's address. */
  readonly address: string
  readonly isSecure: boolean
  /** The host that the client requested. */
  readonly host: string | undefined
  /** The path prefix that the proxy and the application strip; without a trailing slash. */
  readonly prefix: string
}

/**
 * The request as the client sent it. In a list, only the last element counts: the trusted proxy has added it, while the
 * client may have forged those before it. Malformed values are ignored.
 */
export function forwardedRequest(ctx: Context, trust: TrustProxy): ForwardedRequest {
  const mountPath = mountPathOf(ctx.req)
  const direct = { address: ctx.req.socket.remoteAddress ?? '', isSecure: false, host: undefined, prefix: mountPath }
  if (trust === 'false') return direct
  const fields = trust === 'true' ? byHeaders(ctx) : byForwarded(ctx.get('Forwarded'))
  return {
    address: addressIn(fields.address) ?? direct.address,
    isSecure: fields.scheme?.toLowerCase() === 'https',
    host: fields.host,
    prefix: (trust === 'true' ? plainPath(last(ctx.get('X-Forwarded-Prefix')) ?? '') : '') + mountPath,
  }
}

/**
 * Whether a request came through the trusted proxy, whose own element, the last one, names the client. Only a client
 * that bypasses the proxy could forge it, so the proxy must be the only way in.
 */
export function cameThroughProxy({ headers }: IncomingMessage, trust: TrustProxy): boolean {
  if (trust === 'true') return addressIn(last(single(headers, 'X-Forwarded-For') ?? '')) !== undefined
  return trust === 'forwarded' && byForwarded(headers.forwarded ?? '').address !== undefined
}

/** Passes on to Koa what the trusted proxy reports, and nothing that the client claims itself. */
export function trustForwarded(trust: TrustProxy): Middleware {
  return (ctx, next) => {
    const { address, isSecure } = forwardedRequest(ctx, trust)
    ctx.request.ip = address
    ctx.req.headers['x-forwarded-proto'] = isSecure ? 'https' : 'http'
    return next()
  }
}

interface ProxyFields {
  readonly address: string | undefined
  readonly scheme: string | undefined
  readonly host: string | undefined
}

function byHeaders(ctx: Context): ProxyFields {
  return {
    address: last(ctx.get('X-Forwarded-For')),
    scheme: last(ctx.get('X-Forwarded-Proto')),
    host: last(ctx.get('X-Forwarded-Host')),
  }
}

/** The last `forwarded-element` (RFC 7239 §4). A quoted string may contain commas and semicolons. */
function byForwarded(header: string): ProxyFields {
  let fields: Record<string, string> = {}
  for (const [, separator, name, token, quoted] of header.matchAll(PAIR)) {
    if (separator === ',') fields = {}
    if (name !== undefined) fields[name.toLowerCase()] = token ?? quoted?.replace(/\\(.)/g, '$1') ?? ''
  }
  return { address: fields['for'], scheme: fields['proto'], host: fields['host'] }
}

const PAIR = /(^|[,;])\s*(?:([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[^"\\]|\\.)*)"))?/g

function last(list: string): string | undefined {
  return list.split(',').at(-1)?.trim() || undefined
}

/** An address without its port; `undefined` for `unknown` and obfuscated names (RFC 7239 §6). */
function addressIn(text: string | undefined): string | undefined {
  const found = /^(?:\[([0-9a-fA-F:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*))$/.exec(
    text ?? '',
  )
  return found?.[1] ?? found?.[2] ?? found?.[3]
}
