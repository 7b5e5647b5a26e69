import type http from 'node:http'
import { startStub } from '../support/stub-server.ts'

/** The JSON of a call, as far as its answer depends on it. */
export interface Call {
  readonly Type: string
  readonly Event: { readonly Upload: Readonly<Record<string, unknown>>; readonly HTTPRequest: unknown }
}

/** A receiver of hooks that keeps what it gets. */
export interface Recorder {
  readonly url: string
  /** The calls since `begin`. */
  readonly calls: readonly Call[]
  /** Forgets earlier calls, and answers further ones by their type: with nothing, JSON, or a status. */
  begin(answers: Readonly<Record<string, unknown>>): void
  close(): Promise<void>
}

export async function startRecorder(): Promise<Recorder> {
  let calls: Call[] = []
  let answers: Readonly<Record<string, unknown>> = {}
  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    let text = ''
    for await (const piece of request) text += String(piece)
    const call: Call = JSON.parse(text)
    calls.push(call)
    const said = answers[call.Type] ?? {}
    const status = typeof said === 'number' ? said : 200
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(said))
  }
  const stub = await startStub(answer)
  return {
    url: stub.url,
    get calls() {
      return calls
    },
    begin: (next) => {
      calls = []
      answers = next
    },
    close: stub.close,
  }
}
