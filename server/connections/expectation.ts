import type { Server, ServerResponse } from 'node:http'

/** Answers whose clients have not sent their body yet, because they wait to be asked for it. */
const waiting = new WeakSet<ServerResponse>()
/** Responses to requests with an unsupported expectation. */
const unknown = new WeakSet<ServerResponse>()

/**
 * `Expect: 100-continue` (RFC 9110 §10.1.1): the client is asked for its body only when somebody begins to read it. What can be
 * refused by the headers alone is refused for good without it; Node closes the connection after such an answer. Other expectations
 * are left to `isExpectationUnknown`.
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

/** Asks the client for the body of the request that `response` answers, if it waits for that. */
export function askForBody(response: ServerResponse): void {
  if (waiting.delete(response) && !response.headersSent) response.writeContinue()
}

/** Whether the request of this response expects something other than `100-continue`. */
export function isExpectationUnknown(response: ServerResponse): boolean {
  return unknown.has(response)
}
