import { hash } from 'node:crypto'
import type { Logger } from 'pino'
import type { Letter } from '../core/outbox.ts'
import { Poster } from '../posting/poster.ts'
import { retryAfterOf } from './retry-after.ts'
import { signedHeaders } from './signature.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** When a letter is sent again, and how long an endpoint pauses that is down. Milliseconds. */
export interface Schedule {
  /** The wait before each attempt. */
  readonly delays: readonly number[]
  /** The first pause of an endpoint that is down or throttles; each further one is twice as long. */
  readonly firstPause: number
  readonly maxPause: number
}

/** That of Standard Webhooks: about three days. */
export const SCHEDULE: Schedule = {
  delays: [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
  firstPause: SECOND,
  maxPause: MINUTE,
}

/** Maximum requests to an endpoint at once. */
const CONCURRENCY = 8
/** Maximum bytes of a response that are read, so that its connection can be used again. */
const MAX_RESPONSE = 64 * 1024
/** Maximum `Retry-After` that is honoured. */
const MAX_RETRY_AFTER = HOUR
/** How much longer a wait may be, so that letters do not come all at once. */
const JITTER = 0.2
/** Minimum attempts of a process, whatever the age of a letter: a clock may have stepped. */
const MIN_ATTEMPTS = 4

const FIXED_HEADERS: readonly string[] = ['Content-Type', 'application/json', 'User-Agent', 'Landfall']
const THROTTLING: ReadonlySet<number> = new Set([429, 502, 503, 504])

export interface EndpointOptions {
  readonly url: URL
  readonly keys: readonly Buffer[]
  /** Maximum duration of an attempt, in milliseconds. */
  readonly timeout: number
  readonly schedule: Schedule
  readonly log: Logger
}

interface Lane {
  readonly letters: Letter[]
  attempts: number
  /** Whether its next attempt is later. */
  isWaiting: boolean
}

/** A name of an endpoint that does not contain its URL, which may contain a secret. */
export function endpointName(url: URL): string {
  return hash('sha256', url.href).slice(0, 12)
}

/** Delivers letters to one URL: those of an upload in order, several uploads at once. */
export class Endpoint {
  readonly #options: EndpointOptions
  readonly #poster: Poster
  /** By upload. */
  readonly #lanes = new Map<string, Lane>()
  #ready: Lane[] = []
  /** Of lanes whose next attempt is later. */
  readonly #timers = new Set<NodeJS.Timeout>()
  #running = 0
  #pausing: NodeJS.Timeout | undefined
  #failures = 0
  #isGone = false
  /** Whether requests in flight are aborted. */
  #isAborted = false
  #idle: (() => void) | undefined

  constructor(options: EndpointOptions) {
    this.#options = options
    const { url, timeout } = options
    this.#poster = new Poster({ url, timeout, connections: CONCURRENCY, maxBody: MAX_RESPONSE })
  }

  receive(letter: Letter): void {
    // The next start has it handed out again.
    if (this.#isGone) return
    const lane = this.#lanes.get(letter.upload)
    if (lane !== undefined) {
      lane.letters.push(letter)
      if (lane.isWaiting) letter.postponed()
      return
    }
    const fresh = { letters: [letter], attempts: 0, isWaiting: false }
    this.#lanes.set(letter.upload, fresh)
    this.#enqueue(fresh)
  }

  /** The letters in memory, and when the event of the oldest was written: milliseconds since 1970. */
  get pending(): { readonly count: number; readonly oldest: number | undefined } {
    let count = 0
    let oldest: number | undefined
    for (const { letters } of this.#lanes.values()) {
      count += letters.length
      const at = letters[0]?.at
      if (at !== undefined) oldest = Math.min(oldest ?? at, at)
    }
    return { count, oldest }
  }

  /** Ends. Requests in flight have `grace` milliseconds for their response. */
  async close(grace: number): Promise<void> {
    this.#end()
    if (this.#running > 0) {
      const timer = setTimeout(() => {
        this.#isAborted = true
        this.#poster.close()
      }, grace)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
      clearTimeout(timer)
    }
    this.#poster.close()
  }

  #enqueue(lane: Lane): void {
    if (this.#isGone) return
    lane.isWaiting = false
    this.#ready.push(lane)
    this.#sendNext()
  }

  #sendNext(): void {
    while (!this.#isGone && this.#pausing === undefined && this.#running < CONCURRENCY) {
      const lane = this.#ready.shift()
      const [letter] = lane?.letters ?? []
      if (lane === undefined || letter === undefined) return
      this.#running += 1
      void this.#run(lane, letter)
    }
  }

  async #run(lane: Lane, letter: Letter): Promise<void> {
    try {
      await this.#send(lane, letter)
    } catch (error) {
      this.#options.log.error({ err: error, event: letter.id }, 'The result of a webhook could not be saved.')
      this.#later(lane, MINUTE)
    }
    this.#running -= 1
    if (this.#running === 0) this.#idle?.()
    this.#sendNext()
  }

  async #send(lane: Lane, letter: Letter): Promise<void> {
    const body = await letter.body()
    if (body === undefined) {
      letter.delivered()
      return this.#over(lane)
    }
    lane.attempts += 1
    const signed = signedHeaders(letter.id, Date.now(), body, this.#options.keys)
    try {
      const { status, headers } = await this.#poster.post(body, [...signed, ...FIXED_HEADERS])
      if (status >= 200 && status < 300) {
        this.#failures = 0
        letter.delivered()
        this.#over(lane)
        return
      }
      if (status === 410) return this.#disable()
      const retryAfter = retryAfterOf(headers['retry-after'])
      if (THROTTLING.has(status)) this.#pause(retryAfter)
      await this.#failed(lane, letter, `status ${status}`, retryAfter)
    } catch (error) {
      if (this.#isAborted) return
      this.#pause(undefined)
      await this.#failed(lane, letter, error instanceof Error ? error.message : String(error), undefined)
    }
  }

  async #failed(lane: Lane, letter: Letter, why: string, retryAfter = 0): Promise<void> {
    const { schedule, log, url } = this.#options
    const delay = schedule.delays[lane.attempts]
    const isOld = Date.now() - letter.at > schedule.delays.reduce((sum, wait) => sum + wait, 0)
    if (delay !== undefined && !(isOld && lane.attempts >= MIN_ATTEMPTS)) {
      return this.#later(lane, Math.max(delay, Math.min(retryAfter, MAX_RETRY_AFTER)))
    }
    await letter.dead(why)
    log.error({ event: letter.id, host: url.host, why }, 'A webhook was given up; landfall webhooks ls lists it.')
    this.#over(lane)
  }

  /** The first letter of the lane is settled. */
  #over(lane: Lane): void {
    const letter = lane.letters.shift()
    lane.attempts = 0
    if (lane.letters.length > 0) this.#enqueue(lane)
    else if (letter !== undefined) this.#lanes.delete(letter.upload)
  }

  #later(lane: Lane, delay: number): void {
    if (this.#isGone) return
    lane.isWaiting = true
    for (const letter of lane.letters) letter.postponed()
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        this.#enqueue(lane)
      },
      delay * (1 + Math.random() * JITTER),
    )
    this.#timers.add(timer.unref())
  }

  /** Sends nothing for a while. */
  #pause(retryAfter: number | undefined): void {
    if (this.#pausing !== undefined || this.#isGone) return
    const { firstPause, maxPause } = this.#options.schedule
    const pause = Math.min(firstPause * 2 ** this.#failures, maxPause)
    this.#failures += 1
    this.#pausing = setTimeout(
      () => {
        this.#pausing = undefined
        this.#sendNext()
      },
      retryAfter === undefined ? pause : Math.min(retryAfter, MAX_RETRY_AFTER),
    )
    this.#pausing.unref()
  }

  #disable(): void {
    if (this.#isGone) return
    this.#end()
    const { log, url } = this.#options
    log.error({ host: url.host }, 'A webhook receiver answered 410: it receives nothing until the next start.')
  }

  /** Sends and keeps nothing from now on, except what is being sent. */
  #end(): void {
    this.#isGone = true
    clearTimeout(this.#pausing)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#lanes.clear()
    this.#ready = []
  }
}
