import { once } from 'node:events'
import http from 'node:http'

/** The answer of a scanner to a file, or no answer at all. */
export type Answer = 'clean' | 'rejected' | 'silent' | 'broken'

/** A scanner behind a URL, which answers as a test says. */
export interface HttpScanner {
  readonly url: string
  /** The files that it has received completely, as text, with the headers of each. */
  readonly received: readonly { readonly text: string; readonly headers: http.IncomingHttpHeaders }[]
  /** Says what it answers from now on. Files that wait for an answer receive it now. */
  answer(next: Answer): void
  close(): Promise<void>
}

export async function httpScanner(first: Answer = 'clean'): Promise<HttpScanner> {
  let current = first
  const received: { text: string; headers: http.IncomingHttpHeaders }[] = []
  const waiting = new Set<http.ServerResponse>()
  const respond = (response: http.ServerResponse): void => {
    if (current === 'silent') {
      waiting.add(response)
      response.on('close', () => waiting.delete(response))
      return
    }
    const status = { clean: 204, rejected: 422, broken: 500 }[current]
    response.writeHead(status).end(current === 'rejected' ? 'Test.Signature\nmore' : undefined)
  }
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return
    }
    received.push({ text: Buffer.concat(chunks).toString(), headers: request.headers })
    respond(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    url: `http://127.0.0.1:${port}/scan`,
    received,
    answer: (next) => {
      current = next
      for (const response of [...waiting]) {
        waiting.delete(response)
        respond(response)
      }
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
