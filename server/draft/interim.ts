import type { Context } from 'koa'
import type { InteropVersion } from './headers.ts'

/**
 * Sends `104 (Upload Resumption Supported)`: only to a client that speaks the same version of the draft, and over HTTP/1.1, because
 * HTTP/1.0 knows no interim responses (RFC 9110 §15.2). It is left out while the client does not read what it was sent before.
 */
export function tellInterim(
  { req, res }: Context,
  interop: InteropVersion | undefined,
  headers: Readonly<Record<string, string>>,
): void {
  // Node has no call for a status of its own choice; a response that is not the connection's next one has no socket.
  const { socket, headersSent } = res
  if (interop === undefined || req.httpVersion !== '1.1' || headersSent || socket === null) return
  if (socket.destroyed || socket.writableLength > 0) return
  const fields = { ...headers, 'Upload-Draft-Interop-Version': interop }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 104 Upload Resumption Supported\r\n${lines.join('')}\r\n`)
}
