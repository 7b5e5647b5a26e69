import { AsyncLocalStorage } from 'node:async_hooks'
import type { Answer } from './answer.ts'

/** The request during which something happens. */
export interface RequestInfo {
  readonly method: string
  /** The path, as sent. Without the query, which may contain a token. */
  readonly uri: string
  /** `address:port` of the peer. */
  readonly remoteAddress: string
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>
}

/** A request, and what the application adds to its response. */
export interface CurrentRequest {
  readonly info: () => RequestInfo
  answer?: Answer | undefined
}

const current = new AsyncLocalStorage<CurrentRequest>()

/** Runs `work` for a request: what it starts in the background belongs to the request, too. */
export function runFor<T>(request: CurrentRequest, work: () => T): T {
  return current.run(request, work)
}

/** The request that the current code runs for, if there is one and anything wants to know. */
export function currentRequest(): RequestInfo | undefined {
  return current.getStore()?.info()
}

/** Adds the answer of the application to the response to the current request. */
export function addAnswer(answer: Answer | undefined): void {
  const request = current.getStore()
  if (request === undefined || answer === undefined) return
  const headers = { ...request.answer?.headers, ...answer.headers }
  request.answer = { ...request.answer, ...answer, headers }
}
