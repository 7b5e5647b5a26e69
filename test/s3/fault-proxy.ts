import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Call, type CallKind, callOf } from './calls.ts'

/** The head of an answer, and its body if it is not that of the engine. */
export interface Reply {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body?: string
}

export type Fault =
  /** The engine never sees the call. Without a code, the body is that of a proxy. */
  | { readonly kind: 'answer'; readonly status: number; readonly code?: string }
  /** The same after the engine has applied the call. */
  | { readonly kind: 'answerAfter'; readonly status: number; readonly code?: string }
  /** The answer of the engine, changed. */
  | { readonly kind: 'change'; readonly to: (reply: Reply) => Reply }
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** The engine never sees the call, and no answer comes. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'resetBefore' }
  | { readonly kind: 'resetAfter' }
  /** Only the first bytes of the body arrive at the engine. */
  | { readonly kind: 'cutRequest'; readonly bytes: number }
  /** Only the first bytes of the body arrive at the client. */
  | { readonly kind: 'cutAnswer'; readonly bytes: number }
  /** The same, but the connection stays open. */
  | { readonly kind: 'stallAnswer'; readonly bytes: number }

export interface Rule {
  /** All calls by default. */
  readonly calls?: readonly CallKind[]
  /** All keys by default. */
  readonly key?: RegExp
  /** How often the fault happens; without limit by default. */
  readonly times?: number
  /** Or what decides for each call; `undefined` leaves it to the other rules. */
  readonly fault: Fault | (() => Fault | undefined)
}

/** Receives each call before the engine does, and its answer before the client does. */
export type Watcher = (call: Call, moment: 'arrived' | 'answered') => void

/** A proxy before an engine: it counts calls, and disturbs those that a rule names. The first rule that fits holds. */
export interface FaultProxy {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** Open connections of clients. */
  readonly connections: number
  /** How many connections of clients have been opened since `forget`. */
  readonly opened: number
  /** How many calls of a kind have arrived since `forget`. */
  count(kind: CallKind): number
  forget(): void
  /** @returns a function that removes the rule. */
  disturb(rule: Rule): () => void
  /** @returns a function that ends it. */
  watch(watcher: Watcher): () => void
  close(): Promise<void>
}

/** @param target the URL of the engine. It sees the `Host` that the client has signed. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const agent = new http.Agent({ keepAlive: true })
  const counts = new Map<CallKind, number>()
  const rules = new Set<Rule & { left: number }>()
  const watchers = new Set<Watcher>()
  const sockets = new Set<net.Socket>()
  let opened = 0

  const faultFor = ({ kind, key }: Call): Fault | undefined => {
    for (const rule of rules) {
      if (rule.calls?.includes(kind) === false || rule.key?.test(key) === false || rule.left <= 0) continue
      const fault = typeof rule.fault === 'function' ? rule.fault() : rule.fault
      if (fault === undefined) continue
      rule.left -= 1
      return fault
    }
    return undefined
  }

  const server = http.createServer((request, response) => {
    const call = callOf(request)
    counts.set(call.kind, (counts.get(call.kind) ?? 0) + 1)
    const fault = faultFor(call)
    for (const watcher of watchers) watcher(call, 'arrived')
    const ask = (): http.ClientRequest => {
      const { method, url, rawHeaders } = request
      const forwarded = http.request({ hostname, port, agent, method, path: url, headers: rawHeaders })
      // A broken engine is a broken proxy.
      forwarded.on('error', () => request.socket.destroy())
      forwarded.once('response', () => {
        for (const watcher of watchers) watcher(call, 'answered')
      })
      response.on('close', () => {
        if (!response.writableFinished) forwarded.destroy()
      })
      return forwarded
    }
    handle(request, response, fault, ask).catch(() => request.socket.destroy())
  })
  server.on('connection', (socket) => {
    opened += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    get connections() {
      return sockets.size
    },
    get opened() {
      return opened
    },
    count: (kind) => counts.get(kind) ?? 0,
    forget: () => {
      counts.clear()
      opened = 0
    },
    disturb: (rule) => {
      const kept = { ...rule, left: rule.times ?? Number.POSITIVE_INFINITY }
      rules.add(kept)
      return () => rules.delete(kept)
    },
    watch: (watcher) => {
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      agent.destroy()
      await closed
    },
  }
}

async function handle(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  fault: Fault | undefined,
  ask: () => http.ClientRequest,
): Promise<void> {
  if (fault?.kind === 'resetBefore') return void request.socket.resetAndDestroy()
  if (fault?.kind === 'silence') return void request.resume()
  if (fault?.kind === 'answer') {
    request.resume()
    await once(request, 'end')
    return send(response, errorReply(fault.status, fault.code))
  }
  if (fault?.kind === 'delay') await sleep(fault.milliseconds)
  const forwarded = ask()
  if (fault?.kind === 'cutRequest') return cutRequest(request, forwarded, fault.bytes)
  request.pipe(forwarded)
  const [answer]: http.IncomingMessage[] = await once(forwarded, 'response')
  if (answer === undefined) return
  const reply: Reply = { status: answer.statusCode ?? 0, headers: answer.headers }
  if (fault?.kind === 'resetAfter' || fault?.kind === 'answerAfter') {
    answer.resume()
    await once(answer, 'end')
    if (fault.kind === 'resetAfter') request.socket.resetAndDestroy()
    else send(response, errorReply(fault.status, fault.code))
    return
  }
  const changed = fault?.kind === 'change' ? fault.to(reply) : reply
  if (changed.body !== undefined) {
    answer.resume()
    return send(response, changed)
  }
  response.sendDate = false
  response.writeHead(changed.status, changed.headers)
  response.flushHeaders()
  if (fault?.kind === 'cutAnswer') return sendBeginning(answer, response, fault.bytes, () => response.destroy())
  if (fault?.kind === 'stallAnswer') return sendBeginning(answer, response, fault.bytes, () => undefined)
  answer.on('error', () => response.destroy()).pipe(response)
}

function send(response: http.ServerResponse, { status, headers, body = '' }: Reply): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

function errorReply(status: number, code: string | undefined): Reply {
  if (code === undefined) return { status, headers: { 'content-type': 'text/html' }, body: '<html>Proxy</html>' }
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>m</Message></Error>`
  return { status, headers: { 'content-type': 'application/xml' }, body }
}

/** The engine gets the beginning, and the client no answer. */
function cutRequest(request: http.IncomingMessage, forwarded: http.ClientRequest, bytes: number): void {
  let left = bytes
  request.on('data', (chunk: Buffer) => {
    if (left <= 0) return
    forwarded.write(chunk.subarray(0, left), () => {
      if (left > 0) return
      forwarded.destroy()
      request.socket.destroy()
    })
    left -= chunk.length
  })
}

function sendBeginning(
  answer: http.IncomingMessage,
  response: http.ServerResponse,
  bytes: number,
  sent: () => void,
): void {
  let left = bytes
  answer.on('error', () => response.destroy())
  answer.on('data', (chunk: Buffer) => {
    if (left <= 0) return
    response.write(chunk.subarray(0, left), () => {
      if (left <= 0) sent()
    })
    left -= chunk.length
  })
}
