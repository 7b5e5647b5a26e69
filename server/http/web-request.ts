import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** By the connection inside of this process that each one is sent on. */
const requests = new WeakMap<Duplex, Request>()

/** Notes the request of the Fetch API that is sent on a connection. */
export function setWebRequest(connection: Duplex, request: Request): void {
  requests.set(connection, request)
}

/** The request of the Fetch API that a message was made from. */
export function webRequestOf(message: IncomingMessage): Request | undefined {
  return requests.get(message.socket)
}
