import type { RequestInfo } from '../core/current-request.ts'
import type { UploadFacts } from '../core/decisions.ts'
import { HOOK_CALLS, measured } from '../core/measured.ts'
import { KeyedSlots, Slots } from '../core/slots.ts'
import { type HookCall, hookCall } from './hook-call.ts'
import type { HookName } from './hook-names.ts'
import type { HookResponse } from './hook-response.ts'
import type { Transport } from './transport.ts'
import { within } from './within.ts'

/** Maximum calls that wait for others. */
const MAX_WAITING = 1_000

/** A client may have this fraction of the running calls: others must not wait for it. */
const SHARES = 4

/** Calls the receiver for requests that wait for its answer. */
export class Receiver {
  readonly #transport: Transport
  readonly #timeout: number
  readonly #slots: Slots
  /** By client. */
  readonly #shares: KeyedSlots
  readonly #closing: AbortSignal

  /**
   * @param timeout maximum wait for other calls, in milliseconds.
   * @param closing aborts all calls.
   */
  constructor(transport: Transport, timeout: number, closing: AbortSignal) {
    this.#transport = transport
    this.#timeout = timeout
    this.#slots = new Slots(transport.concurrency, MAX_WAITING)
    this.#shares = new KeyedSlots(Math.ceil(transport.concurrency / SHARES), MAX_WAITING)
    this.#closing = closing
  }

  /** @throws Error for the log when there is no valid response. */
  async ask(
    hook: HookName,
    facts: UploadFacts,
    request: RequestInfo | undefined,
    signal: AbortSignal = this.#closing,
  ): Promise<HookResponse> {
    const call: HookCall = hookCall(hook, facts, request)
    const leave = this.#enterNow(facts) ?? (await this.#enterLater(facts, signal))
    try {
      return await measured(HOOK_CALLS, hook, () => this.#transport.invoke(call, signal))
    } finally {
      leave()
    }
  }

  /** Mostly nothing waits: then a call costs no timer and no signal. */
  #enterNow(facts: UploadFacts): (() => void) | undefined {
    const leaveShare = this.#shares.tryEnter(clientOf(facts))
    const leave = leaveShare && this.#slots.tryEnter()
    if (leave === undefined) {
      leaveShare?.()
      return undefined
    }
    return () => {
      leave()
      leaveShare?.()
    }
  }

  #enterLater(facts: UploadFacts, signal: AbortSignal): Promise<() => void> {
    const message = 'Too many hook calls are running.'
    return within(this.#timeout, message, signal, (signal) => this.#enter(facts, signal))
  }

  async #enter(facts: UploadFacts, signal: AbortSignal): Promise<() => void> {
    const leaveShare = await this.#shares.enter(clientOf(facts), signal)
    try {
      const leave = await this.#slots.enter(signal)
      return () => {
        leave()
        leaveShare()
      }
    } catch (error) {
      leaveShare()
      throw error
    }
  }
}

function clientOf({ record: { owner, account } }: UploadFacts): string {
  return owner ?? account ?? ''
}
