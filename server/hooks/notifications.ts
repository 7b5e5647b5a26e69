import type { Logger } from 'pino'
import type { Answer } from '../core/answer.ts'
import { UploadError } from '../core/errors.ts'
import type { UploadEvent } from '../core/events.ts'
import { KeyedQueue } from '../core/keyed-queue.ts'
import { HOOK_CALLS, measured } from '../core/measured.ts'
import { Slots } from '../core/slots.ts'
import { type HookCall, hookCall } from './hook-call.ts'
import { HOOK_OF_EVENT } from './hook-names.ts'
import type { Transport } from './transport.ts'

/** Maximum bytes of calls that wait; further ones are lost. */
const MAX_QUEUED = 32 * 1024 * 1024

/** Bytes that a waiting call occupies apart from its payload, roughly. */
const CALL_OVERHEAD = 1_024

/** Ends and removes an upload. @param answer is the response to its running requests. */
export type StopUpload = (id: string, answer: Answer | undefined) => Promise<void>

/** Calls the `post-*` hooks: in order for each upload, concurrently for others. No upload waits for them. */
export class Notifications {
  readonly #transport: Transport
  readonly #stopUpload: StopUpload
  readonly #log: Logger
  readonly #closing: AbortSignal
  readonly #queue = new KeyedQueue()
  readonly #slots: Slots
  readonly #running = new Set<Promise<void>>()
  /** Uploads of which a `post-receive` waits. */
  readonly #progressing = new Set<string>()
  #queuedBytes = 0
  /** Calls that were lost since the last one that was queued. */
  #lost = 0

  /** @param closing aborts all calls. */
  constructor(transport: Transport, stopUpload: StopUpload, log: Logger, closing: AbortSignal) {
    this.#transport = transport
    this.#stopUpload = stopUpload
    this.#log = log
    this.#closing = closing
    this.#slots = new Slots(transport.concurrency)
  }

  /** Queues the call of an event's hook. */
  readonly notify = ({ type, upload, request }: UploadEvent): void => {
    const { id } = upload.record
    // With a slow receiver, the next `post-receive` reports more.
    if (type === 'progress' && this.#progressing.has(id)) return
    const call = hookCall(HOOK_OF_EVENT[type], upload, request)
    const bytes = call.body.length + CALL_OVERHEAD
    if (this.#queuedBytes + bytes > MAX_QUEUED) {
      this.#lose(call)
      return
    }
    this.#reportLost()
    this.#queuedBytes += bytes
    if (type === 'progress') this.#progressing.add(id)
    const done = this.#queue.run([id], () => this.#call(call, bytes))
    this.#running.add(done)
    done.finally(() => this.#running.delete(done)).catch(() => undefined)
  }

  /** Waits until every call has ended. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
    this.#reportLost()
  }

  #lose({ hook, id }: HookCall): void {
    // A line for each call would fill the log.
    if (this.#lost === 0) this.#log.error({ hook, upload: id }, 'Hook calls are dropped: too many are waiting.')
    this.#lost += 1
  }

  #reportLost(): void {
    if (this.#lost > 0) this.#log.error({ lost: this.#lost }, 'Hook calls were dropped.')
    this.#lost = 0
  }

  /** Never throws. */
  async #call(call: HookCall, bytes: number): Promise<void> {
    const { hook, id } = call
    try {
      const leave = await this.#slots.enter(this.#closing)
      if (hook === 'post-receive') this.#progressing.delete(id)
      try {
        const { stopsUpload, answer } = await measured(HOOK_CALLS, hook, () =>
          this.#transport.invoke(call, this.#closing),
        )
        if (hook === 'post-receive' && stopsUpload) await this.#stop(id, answer)
      } finally {
        leave()
      }
    } catch (error) {
      this.#log.error({ hook, upload: id, err: error }, 'A hook failed; it is not called again.')
    } finally {
      if (hook === 'post-receive') this.#progressing.delete(id)
      this.#queuedBytes -= bytes
    }
  }

  async #stop(id: string, answer: Answer | undefined): Promise<void> {
    try {
      await this.#stopUpload(id, answer)
    } catch (error) {
      // It is complete or gone meanwhile.
      if (!(error instanceof UploadError)) throw error
      this.#log.warn({ upload: id, code: error.code }, 'The hook post-receive could not stop an upload.')
    }
  }
}
