import { once } from 'node:events'
import http from 'node:http'

/** A request that has passed the gate. */
export interface Passed {
  readonly method: string
  readonly url: string
  readonly status: number
  /** Whether it had a file. */
  readonly isUpload: boolean
}

/** A proxy between pages and the service that records requests, and can refuse or hold them. */
export interface Gate {
  readonly url: string
  /** The requests that have been answered since `reset`. */
  readonly passed: readonly Passed[]
  /** Decides about each request with a body, by its number since `reset`, from 1. */
  decide: (count: number) => 'pass' | 'stall' | number
  /** Called after each answered request with a body, with its number. */
  onAnswer: (count: number) => void
  /** Forgets what has passed. A request that has stalled ends with that of the page. */
  reset(): void
  close(): void
}

const UPLOADS = new Set(['POST', 'PUT', 'PATCH'])

export async function startGate(target: string): Promise<Gate> {
  const { hostname, port } = new URL(target)
  const agent = new http.Agent({ keepAlive: false })
  let passed: Passed[] = []
  let count = 0
  let answered = 0
  const server = http.createServer((request, response) => {
    const isUpload =
      UPLOADS.has(request.method ?? '') && /multipart|octet|offset|zip/.test(`${request.headers['content-type']}`)
    if (isUpload) count += 1
    const decision = isUpload ? gate.decide(count) : 'pass'
    if (typeof decision === 'number') {
      request.resume().on('end', () => response.writeHead(decision).end())
      return
    }
    const { method = '', url = '', headers } = request
    const forwarded = http.request({ hostname, port, method, path: url, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
      passed.push({ method, url, status: answer.statusCode ?? 0, isUpload })
      if (isUpload) {
        answered += 1
        gate.onAnswer(answered)
      }
    })
    // As if there were no proxy.
    forwarded.on('error', () => response.destroy())
    response.on('close', () => forwarded.destroy())
    if (decision === 'stall') request.once('data', (bytes: Buffer) => forwarded.write(bytes.subarray(0, 8000)))
    else request.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The gate does not listen.')
  const gate: Gate = {
    url: `http://127.0.0.1:${address.port}`,
    get passed() {
      return passed
    },
    decide: () => 'pass',
    onAnswer: () => undefined,
    reset: () => {
      passed = []
      count = 0
      answered = 0
      gate.decide = () => 'pass'
      gate.onAnswer = () => undefined
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  return gate
}
