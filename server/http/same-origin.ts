import type { Context } from 'koa'
import { forwardedRequest, type TrustProxy } from './forwarded.ts'

/** How the service is reached. */
export interface Reach {
  /** `PUBLIC_URL`, or empty. */
  readonly publicUrl: string
  readonly trustProxy: TrustProxy
}

/**
 * Whether a request comes from a page of this service, or from no page at all. `Sec-Fetch-Site` (Fetch Metadata)
 * decides, which browsers send over TLS and to loopback; otherwise `Origin`, which they send with every cross-origin
 * POST. The scheme is not compared: a proxy may terminate TLS, and to an `https` URL browsers send `Sec-Fetch-Site`.
 */
export function isSameOrigin(ctx: Context, { publicUrl, trustProxy }: Reach): boolean {
  const site = ctx.get('Sec-Fetch-Site')
  if (site !== '') return site === 'same-origin' || site === 'none'
  const origin = ctx.get('Origin')
  if (origin === '') return true
  const from = hostIn(origin)
  const own = [ctx.get('Host'), forwardedRequest(ctx, trustProxy).host ?? ''].map((host) => hostIn(`http://${host}`))
  return from !== undefined && [...own, hostIn(publicUrl)].includes(from)
}

/** Whether browsers reach the service over TLS. */
export function isSecure(ctx: Context, { publicUrl }: Reach): boolean {
  return ctx.secure || publicUrl.startsWith('https:')
}

/** The host of a URL, with its port unless that is a default port. */
function hostIn(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { hostname, port } = new URL(url)
  return port === '' || port === '80' || port === '443' ? hostname : `${hostname}:${port}`
}
