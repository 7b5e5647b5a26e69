import type { Context } from 'koa'
import type { InteropVersion } from './headers.ts'

/** To which requests interim responses are sent. */
export type InterimResponses = 'direct' | 'always' | 'never'

/** What proxies add to the requests that they pass on. */
const PROXY_HEADERS = ['via', 'forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip'] as const

/**
 * Sends `104 (Upload Resumption Supported)`: only to a client that speaks the same version of the draft, and over HTTP/1.1, because
 * HTTP/1.0 knows no interim responses (RFC 9110 §15.2). `direct` leaves out requests that came through a proxy: nginx, for one, takes a
 * 104 that comes while it still sends the body for the last answer. It is left out, too, while the client does not read what it was
 * sent before.
 */
export function sendInterim(
  { req, res }: Context,
  responses: InterimResponses,
  interop: InteropVersion | undefined,
  headers: Readonly<Record<string, string>>,
): void {
  if (responses === 'never' || interop === undefined || req.httpVersion !== '1.1') return
  if (responses === 'direct' && PROXY_HEADERS.some((name) => req.headers[name] !== undefined)) return
  // Node has no call for a status of its own choice; a response that is not the connection's next one has no socket.
  const { socket, headersSent } = res
  if (headersSent || socket === null || socket.destroyed || socket.writableLength > 0) return
  const fields = { ...headers, 'Upload-Draft-Interop-Version': interop }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 104 Upload Resumption Supported\r\n${lines.join('')}\r\n`)
}
