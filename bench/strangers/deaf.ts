import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'

/** The longest accepted task id, in characters. */
const TASK = 't'.repeat(Number(process.env['TASK_LENGTH'] ?? 500))
const CHUNKS = 1_000

/** A connection that sends the request and never reads. */
export async function connectDeaf(port: number, request: string): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').pause()
  // The service may close it.
  socket.on('error', () => undefined)
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  socket.write(request)
  return socket
}

/** Sends all one-byte chunks of a file but the last. @returns the /check request that lists them. */
export async function largestCheck(port: number): Promise<string> {
  const fields = `task_id=${TASK}&name=largest.bin&size=${CHUNKS}`
  for (let chunk = 0; chunk < CHUNKS - 1; chunk++) {
    const status = await send(port, `/upload/accept?${fields}&chunks=${CHUNKS}&chunk=${chunk}`)
    if (status !== 200) throw new Error(`A chunk received status ${status}.`)
  }
  const head = ['POST /check HTTP/1.1', `Host: 127.0.0.1:${port}`, `Content-Length: ${fields.length}`]
  const type = 'Content-Type: application/x-www-form-urlencoded'
  return `${[...head, type].join('\r\n')}\r\n\r\n${fields}`
}

/** An unfinished request head of nearly the maximum size. */
export function openHead(): string {
  const line = `Cookie: ${'c'.repeat(15_000)}\r\n`
  return `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${line.repeat(Number(process.env['HEAD_LINES'] ?? 17))}`
}

/** The response time of /healthz, in seconds. @throws Error when it does not respond. */
export function healthSeconds(port: number): Promise<number> {
  const before = performance.now()
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path: '/healthz', agent: false, timeout: 20_000 })
    request.on('response', (response) => {
      response.resume().on('end', () => resolve((performance.now() - before) / 1000))
    })
    request.on('timeout', () => request.destroy(new Error('/healthz took more than 20 s')))
    request.on('error', reject)
  })
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

function send(port: number, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': 1 }
    const request = http.request({ port, host: '127.0.0.1', path: target, method: 'POST', headers, agent })
    request.on('error', reject).on('response', (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    request.end('x')
  })
}
