import type { Logger } from 'pino'
import type { Gate, ReceivedFile, Verdict } from '../core/gate.ts'
import { Slots } from '../core/slots.ts'

/** Minimum time between two log lines about missing verdicts, in milliseconds: an outage concerns every file. */
const QUIET = 60_000

/** Limits of inspections. */
export interface GateLimits {
  /** Maximum duration of the inspection of one file by all gates, in milliseconds. */
  readonly timeout: number
  /** How many files are inspected at once; others wait. */
  readonly concurrency: number
}

/** Several gates as one: a file must pass all of them, in order. Logs rejections and missing verdicts. */
export class Gates implements Gate {
  readonly #gates: readonly Gate[]
  readonly #timeout: number
  readonly #slots: Slots
  readonly #log: Logger
  #loggedAt = Number.NEGATIVE_INFINITY

  constructor(gates: readonly Gate[], { timeout, concurrency }: GateLimits, log: Logger) {
    this.#gates = gates
    this.#timeout = timeout
    this.#slots = new Slots(concurrency)
    this.#log = log
  }

  async inspect(file: ReceivedFile, signal: AbortSignal): Promise<Verdict> {
    const leave = await this.#slots.enter(signal)
    const deadline = new AbortController()
    const abort = (): void => deadline.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const timer = setTimeout(() => deadline.abort(new Error('The scan took too long.')), this.#timeout)
    try {
      return await this.#verdict(file, deadline.signal)
    } catch (error) {
      if (!signal.aborted) this.#logMissing(file, error)
      throw error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      leave()
    }
  }

  async #verdict(file: ReceivedFile, signal: AbortSignal): Promise<Verdict> {
    for (const gate of this.#gates) {
      const verdict = await gate.inspect(file, signal)
      // A gate that was stopped may have read only a part of the file.
      signal.throwIfAborted()
      if (verdict === 'clean') continue
      this.#log.warn({ upload: file.id, reason: verdict.rejected }, 'A scan rejected a file.')
      return verdict
    }
    return 'clean'
  }

  #logMissing({ id, length }: ReceivedFile, error: unknown): void {
    const now = performance.now()
    if (now - this.#loggedAt < QUIET) return
    this.#loggedAt = now
    const reason = error instanceof Error ? error.message : String(error)
    this.#log.error(
      { id, length, reason },
      'A file could not be scanned; it stays pending, and is scanned again later.',
    )
  }
}
