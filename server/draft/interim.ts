import type { Context } from 'koa'
import type { InteropVersion } from './headers.ts'

/** Which requests receive interim responses. */
export type InterimResponses = 'direct' | 'always' | 'never'

/** Headers that proxies add to requests. */
const PROXY_HEADERS = ['via', 'forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip'] as const

/**
 * Sends `104 (Upload Resumption Supported)` to clients of a supported interop version over HTTP/1.1: HTTP/1.0 has no
 * interim responses (RFC 9110 §15.2). `direct` excludes requests through a proxy: nginx, for example, treats a 104 that
 * arrives while it sends the body as the final response. It is also omitted while the client has not read the previous
 * one.
 */
export function sendInterim(
  { req, res }: Context,
  responses: InterimResponses,
  interop: InteropVersion | undefined,
  headers: Readonly<Record<string, string>>,
): void {
  if (responses === 'never' || interop === undefined || req.httpVersion !== '1.1') return
  if (responses === 'direct' && PROXY_HEADERS.some((name) => req.headers[name] !== undefined)) return
  // Node cannot send this status. A response that is not the next one of its connection has no socket.
  const { socket, headersSent } = res
  if (headersSent || socket === null || socket.destroyed || socket.writableLength > 0) return
  const fields = { ...headers, 'Upload-Draft-Interop-Version': interop }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 104 Upload Resumption Supported\r\n${lines.join('')}\r\n`)
}
