import http from 'node:http'
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export type Headers = Readonly<Record<string, string | number>>

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** After how many bytes a request body or the reading of a response is aborted. */
export interface Break {
  readonly after: number
}

/** Requests to the program under load. */
export class Requests {
  readonly port: number
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

  constructor(port: number) {
    this.port = port
  }

  /** @throws Error for an unexpected status. */
  async expect(
    expected: readonly number[],
    method: string,
    path: string,
    headers: Headers,
    body?: Buffer,
  ): Promise<Answer> {
    const answer = await this.#send(method, path, headers, body)
    if (answer !== undefined && expected.includes(answer.status)) return answer
    const found = answer === undefined ? 'nothing' : `${answer.status} ${answer.body.toString('utf8', 0, 200).trim()}`
    throw new Error(`${method} ${path} was answered with ${found}, not ${expected.join(' or ')}.`)
  }

  /** Sends the first bytes of a body and closes the connection. */
  async breakOff(method: string, path: string, headers: Headers, body: Buffer, { after }: Break): Promise<void> {
    const request = this.#request(method, path, { ...headers, 'Content-Length': body.length }, false)
    request.on('error', () => undefined)
    await new Promise<void>((resolve) => request.write(body.subarray(0, after), () => resolve()))
    await pause(20)
    request.destroy()
  }

  /** Reads the first bytes of a response and closes the connection. */
  async leave(path: string, { after }: Break): Promise<void> {
    const request = this.#request('GET', path, {}, false)
    await new Promise<void>((resolve) => {
      let received = 0
      request.on('error', () => resolve()).once('close', () => resolve())
      request.once('response', (response) => {
        response
          .on('error', () => resolve())
          .on('data', (bytes: Buffer) => {
            received += bytes.length
            if (received >= after) request.destroy()
          })
      })
      request.end()
    })
  }

  /** Opens a connection, sends an incomplete request, and closes it after some milliseconds. */
  async mumble(text: string, stay: number): Promise<void> {
    const socket = net.connect({ port: this.port, host: '127.0.0.1' })
    socket.on('error', () => undefined).resume()
    socket.write(text)
    await pause(stay)
    socket.destroy()
  }

  close(): void {
    this.#agent.destroy()
  }

  #request(method: string, path: string, headers: Headers, isKept: boolean): http.ClientRequest {
    const agent = isKept ? this.#agent : false
    return http.request({ port: this.port, host: '127.0.0.1', method, path, headers, agent })
  }

  /** @returns `undefined` when the connection closes without a response, even after a retry. */
  async #send(method: string, path: string, headers: Headers, body?: Buffer): Promise<Answer | undefined> {
    // The server may close an idle connection at the moment of its reuse.
    return (await this.#sendOnce(method, path, headers, body)) ?? this.#sendOnce(method, path, headers, body)
  }

  #sendOnce(method: string, path: string, headers: Headers, body?: Buffer): Promise<Answer | undefined> {
    const length = body === undefined ? {} : { 'Content-Length': body.length }
    const request = this.#request(method, path, { ...headers, ...length }, true)
    return new Promise((resolve) => {
      request.on('error', () => resolve(undefined))
      request.once('response', (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', () => resolve(undefined))
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
        )
      })
      request.end(body)
    })
  }
}
