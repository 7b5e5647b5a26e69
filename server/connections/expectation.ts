import type { Server, ServerResponse } from 'node:http'

/** Responses to clients that wait for `100 Continue` before they send the body. */
const waiting = new WeakSet<ServerResponse>()
/** Responses to requests with an unsupported expectation. */
const unknown = new WeakSet<ServerResponse>()

/**
 * `Expect: 100-continue` (RFC 9110 §10.1.1): the client is asked for its body only when reading starts. A request that
 * its headers disqualify is refused without the body; Node closes the connection after such a response. For other
 * expectations, see `isExpectationUnknown`.
 */
export function holdBodies(server: Server): void {
  server.on('checkContinue', (request, response) => {
    waiting.add(response)
    server.emit('request', request, response)
  })
  server.on('checkExpectation', (request, response) => {
    unknown.add(response)
    server.emit('request', request, response)
  })
}

/** Sends `100 Continue` if the client of this response waits for it. */
export function askForBody(response: ServerResponse): void {
  if (waiting.delete(response) && !response.headersSent) response.writeContinue()
}

/** Whether the request of this response expects something other than `100-continue`. */
export function isExpectationUnknown(response: ServerResponse): boolean {
  return unknown.has(response)
}
