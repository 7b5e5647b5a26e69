import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Over } from './model.ts'
import type { Sweeps } from './sweeps.ts'

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** Whether the response means that the upload is gone. */
export function saysGone({ status, headers }: Answer): boolean {
  return status === 410 || (status === 404 && headers['upload-error'] === 'gone')
}

/** The connection ended before the response: the request may have taken effect or not. */
export class NoAnswer extends Error {}

/** The client ended the connection in the middle of a body, as planned. */
export class BrokenOff extends Error {}

export interface Piece {
  readonly bytes: Buffer
  /** Milliseconds after it. */
  readonly pause: number
  /** Called right before the bytes are sent. */
  readonly onSend?: () => void
}

export interface Body {
  readonly pieces: readonly Piece[]
  /** The Content-Length; without it, the body uses the chunked transfer coding. */
  readonly announced: number | undefined
  /** What follows the last piece: the end of the body, silence, or the end of the connection. */
  readonly end: 'whole' | 'stall' | 'break'
}

export type Headers = Readonly<Record<string, string>>

/** Milliseconds after which a client that has no room tries something else. */
const REFUSED_PAUSE = 10

/** How clients reach several nodes. */
export interface Route {
  /** The address of the client, by which a balancer chooses a node. */
  readonly localAddress: string
  /**
   * How long a client repeats questions that got no answer, in milliseconds, before it takes the upload for lost. 0: it
   * does not ask again, and continues with other work.
   */
  readonly patience: number
}

/** Refusals that say nothing about the upload: another node has it, or an earlier request has not ended yet. */
const MOMENTARY: ReadonlySet<string> = new Set([
  'moved',
  'busy',
  'superseded',
  'offset_mismatch',
  'storage_error',
  'connection_closed',
])
/** Milliseconds between two tries, also of work that a node did not answer. */
const RETRY_PAUSE = 100

/** Requests to one run of the program, or to several nodes, with bodies at any speed. */
export class Client {
  /** The uploads that this program, and earlier ones, may have removed by expiry. */
  readonly sweeps: Sweeps
  readonly #base: string
  readonly #credentials: Headers
  readonly #route: Route | undefined
  readonly #agent = new http.Agent({ keepAlive: true })
  #isStopped = false
  #inFlight = 0
  #cut = 0
  #unanswered = 0
  #overQuota = 0

  /** @param route to several nodes, of which some may not answer; without one, a missing answer ends all work. */
  constructor(base: string, sweeps: Sweeps, credentials: Headers = {}, route?: Route) {
    this.#route = route
    this.#base = base
    this.sweeps = sweeps
    this.#credentials = credentials
  }

  /** Whether a request that stalls ends by the end of the program. */
  get endsWithProgram(): boolean {
    return this.#route === undefined
  }

  /** Waits until work that got no answer can be continued. @returns whether it can. */
  async canContinue(): Promise<boolean> {
    if (this.#route === undefined || this.#isStopped) return false
    await pause(RETRY_PAUSE)
    return !this.#isStopped
  }

  /** Sends nothing more; what is under way ends by itself. */
  stop(): void {
    this.#isStopped = true
  }

  /** Bodies that are partly sent. */
  get bodiesInFlight(): number {
    return this.#inFlight
  }

  /** Bodies that the end of the program cut off. */
  get bodiesCut(): number {
    return this.#cut
  }

  /** Requests without a response, except those that the client aborted. */
  get unanswered(): number {
    return this.#unanswered
  }

  /** Requests that were refused because of a quota. */
  get overQuota(): number {
    return this.#overQuota
  }

  /**
   * @param most after how many bytes of the response the client aborts it.
   * @throws NoAnswer, also from a program that is stopping; BrokenOff; Over if there is no room for the upload.
   */
  async send(method: string, path: string, headers: Headers, body?: Body, most = Infinity): Promise<Answer> {
    const { patience } = this.#route ?? { patience: 0 }
    const isQuestion = method === 'HEAD' || method === 'GET'
    for (const end = performance.now() + (isQuestion ? patience : 0); ; await pause(RETRY_PAUSE)) {
      try {
        return await this.#sendOnce(method, path, headers, body, most)
      } catch (error) {
        if (!(error instanceof NoAnswer) || performance.now() > end) throw error
      }
    }
  }

  async #sendOnce(
    method: string,
    path: string,
    headers: Headers,
    body: Body | undefined,
    most: number,
  ): Promise<Answer> {
    if (this.#isStopped) throw new NoAnswer(`${method} ${path} was not sent`)
    const length = body?.announced === undefined ? {} : { 'Content-Length': String(body.announced) }
    const request = http.request(new URL(path, this.#base), {
      method,
      headers: { ...this.#credentials, ...headers, ...length },
      agent: this.#agent,
      localAddress: this.#route?.localAddress,
    })
    const answer = answerTo(request, most)
    answer.catch(() => {
      if (body?.end !== 'break') this.#unanswered += 1
    })
    if (body === undefined) request.end()
    else await this.#write(request, body, answer)
    const code = (await answer).headers['upload-error']
    const isMomentary = this.#route !== undefined && typeof code === 'string' && MOMENTARY.has(code)
    if (isMomentary) throw new NoAnswer(`${method} ${path} got ${code}`)
    if (code === 'stopping') throw new NoAnswer(`${method} ${path} came too late`)
    if (code !== 'quota_exceeded') return answer
    this.#overQuota += 1
    await pause(REFUSED_PAUSE)
    throw new Over(`There is no room for ${method} ${path}`)
  }

  close(): void {
    this.#agent.destroy()
  }

  async #write(request: http.ClientRequest, body: Body, answer: Promise<Answer>): Promise<void> {
    const sending: { state: 'going' | 'answered' | 'cut' } = { state: 'going' }
    const over = answer.then(
      () => {
        sending.state = 'answered'
      },
      () => {
        sending.state = 'cut'
      },
    )
    this.#inFlight += 1
    if (body.pieces.length === 0) request.flushHeaders()
    try {
      for (const piece of body.pieces) {
        if (sending.state !== 'going') return
        piece.onSend?.()
        if (!request.write(piece.bytes)) await Promise.race([drained(request), over])
        if (piece.pause > 0) await Promise.race([pause(piece.pause), over])
      }
      if (body.end === 'stall') await over
      if (body.end === 'whole' && sending.state === 'going') {
        request.end()
        return
      }
      if (body.end === 'break' && sending.state === 'going') throw new BrokenOff()
    } finally {
      this.#inFlight -= 1
      if (sending.state === 'cut') this.#cut += 1
      if (!request.writableEnded) request.destroy()
    }
  }
}

function answerTo(request: http.ClientRequest, most: number): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    const fail = (): void => reject(new NoAnswer(`${request.method} ${request.path} got no answer`))
    request.on('error', fail).once('close', fail)
    request.once('response', (response) => {
      const pieces: Buffer[] = []
      let length = 0
      const done = (): void =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) })
      response.on('data', (piece: Buffer) => {
        pieces.push(piece)
        length += piece.length
        if (length < most) return
        done()
        request.destroy()
      })
      response.on('error', fail)
      response.once('end', () => (response.complete ? done() : fail()))
    })
  })
  return answer
}

function drained(request: http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    request.once('drain', resolve)
  })
}
