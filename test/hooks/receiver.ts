import type http from 'node:http'
import { startStub } from '../support/stub-server.ts'
import { until } from '../support/wire.ts'

/** A call of a hook, as a receiver sees it. */
export interface Call {
  readonly Type: string
  readonly Event: {
    readonly Upload: Readonly<Record<string, unknown>>
    readonly HTTPRequest: { readonly Method: string; readonly Header: Readonly<Record<string, readonly string[]>> }
  }
}

/** A receiver of hooks. */
export interface HookReceiver {
  readonly url: string
  readonly calls: readonly Call[]
  readonly requests: readonly http.IncomingMessage[]
  /** What it answers, by the type of a call; an empty object by default. */
  readonly answers: Record<string, unknown>
  find(type: string): Call | undefined
  /** Waits for a call of this type. */
  called(type: string): Promise<void>
  /** Answers like this from now on, and keeps no calls. */
  fail(handler: Handler): void
  /** Answers one request like at the beginning. */
  readonly answerNow: Handler
  /** Answers like at the beginning again. */
  recover(): void
  close(): Promise<void>
}

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void

export async function startReceiver(): Promise<HookReceiver> {
  const calls: Call[] = []
  const answers: Record<string, unknown> = {}
  const collect = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    let text = ''
    for await (const piece of request) text += String(piece)
    const call: Call = JSON.parse(text)
    calls.push(call)
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(answers[call.Type] ?? {}))
  }
  const stub = await startStub(collect)
  const find = (type: string): Call | undefined => calls.find(({ Type }) => Type === type)
  return {
    url: stub.url,
    requests: stub.requests,
    calls,
    answers,
    find,
    called: (type) => until(async () => find(type) !== undefined),
    fail: stub.answer,
    answerNow: (request, response) => void collect(request, response),
    recover: () => stub.answer(collect),
    close: stub.close,
  }
}
