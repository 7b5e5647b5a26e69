import type { Library, Transport } from './library.ts'
import { type Answer, answerOf } from './server.ts'

/** A `Retry-After` of the service counts up to this. Milliseconds. */
const MAX_DELAY = 120_000

/** The latest request of each chunk: WebUploader drops the bodies of refusals. */
const requests = new WeakMap<Transport, XMLHttpRequest>()

/** Makes the requests of chunks visible. */
export function watchRequests({ Runtime }: Library): void {
  const transport = Runtime?.Html5?.Transport?.prototype
  const create = transport?._initAjax
  if (transport === undefined || create === undefined) return
  transport._initAjax = function () {
    const request = create.call(this)
    requests.set(this.owner, request)
    return request
  }
}

/** What the service has answered to the latest request of a chunk. */
export function answerTo(transport: Transport): Answer {
  try {
    return answerOf(JSON.parse(requests.get(transport)?.responseText ?? ''))
  } catch {
    return answerOf(undefined)
  }
}

/** The delay before the next request that the response demands, in milliseconds. */
export function delayOf(transport: Transport): number {
  const seconds = Number(requests.get(transport)?.getResponseHeader('Retry-After'))
  return seconds > 0 ? Math.min(seconds * 1000, MAX_DELAY) : 0
}
