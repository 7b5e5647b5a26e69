import type { RequestInfo } from '../core/current-request.ts'
import type { UploadFacts } from '../core/decisions.ts'
import { Slots } from '../core/slots.ts'
import { type HookCall, hookCall } from './hook-call.ts'
import type { HookName } from './hook-names.ts'
import type { HookResponse } from './hook-response.ts'
import type { Transport } from './transport.ts'
import { within } from './within.ts'

/** Maximum calls that wait for others. */
const MAX_WAITING = 1_000

/** Calls the receiver for requests that wait for its answer. */
export class Receiver {
  readonly #transport: Transport
  readonly #timeout: number
  readonly #slots: Slots
  readonly #closing: AbortSignal

  /**
   * @param timeout maximum wait for other calls, in milliseconds.
   * @param closing aborts all calls.
   */
  constructor(transport: Transport, timeout: number, closing: AbortSignal) {
    this.#transport = transport
    this.#timeout = timeout
    this.#slots = new Slots(transport.concurrency, MAX_WAITING)
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
    const message = 'Too many calls of hooks are running.'
    const leave = await within(this.#timeout, message, signal, (signal) => this.#slots.enter(signal))
    try {
      return await this.#transport.invoke(call, signal)
    } finally {
      leave()
    }
  }
}
