import type { Attempt } from './attempt.ts'
import type { Block, Transport, Uploader } from './library.ts'
import { answerTo, delayOf } from './requests.ts'
import { type Answer, answerOf } from './server.ts'

/** Delays between the tries of a chunk, in milliseconds; the last one is repeated. */
const DELAYS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000]
/** A chunk is tried again for this long at least, in milliseconds, and this often. */
const PATIENCE = 5 * 60_000
const MIN_TRIES = 5

/** Codes for an upload that this file cannot continue, and for files that the service does not want. */
const OTHER_UPLOAD = ['content_differs', 'chunk_size_changed', 'sync_failed']
const UNWANTED = ['rejected', 'type_not_allowed', 'digest_mismatch']

type Verdict = 'again' | 'other upload' | 'final'

/** Sends a chunk again as long as that makes sense, where WebUploader would give its file up. */
export class PatientChunk {
  readonly #uploader: Uploader
  readonly #attempt: Attempt
  readonly #block: Block
  readonly #transport: Transport
  readonly #trigger: Transport['trigger']
  #tries = 0
  #failingSince = 0
  /** Changes when WebUploader itself sends or aborts the chunk: a wait that has begun before is over. */
  #turn = 0

  constructor(uploader: Uploader, attempt: Attempt, block: Block, transport: Transport) {
    this.#uploader = uploader
    this.#attempt = attempt
    this.#block = block
    this.#transport = transport
    this.#trigger = transport.trigger
    for (const name of ['send', 'abort', 'destroy'] as const) {
      const call = transport[name]
      transport[name] = (...values) => {
        this.#turn += 1
        return call.apply(transport, values)
      }
    }
    transport.trigger = (type, ...values) => {
      const [reason] = values
      if (type !== 'error' || !this.#isOfServer(reason)) return this.#trigger.call(transport, type, ...values)
      return this.#fail(reason)
    }
  }

  /** Whether a request has failed, and not the page has refused its response. */
  #isOfServer(reason: unknown): boolean {
    const status = Number(this.#transport.getStatus())
    return reason === 'timeout' || !(status >= 200 && status < 300)
  }

  async #fail(reason: unknown): Promise<void> {
    const turn = ++this.#turn
    const transport = this.#transport
    clearTimeout(transport._timer)
    this.#failingSince ||= Date.now()
    // After a timeout, status and response are those of an earlier request.
    const hasAnswer = reason !== 'timeout'
    const status = hasAnswer ? Number(transport.getStatus()) : 0
    const problem = hasAnswer ? answerTo(transport) : answerOf(undefined)
    const verdict = await this.#judge(status, problem)
    if (turn !== this.#turn) return
    const delay = Math.max(DELAYS[Math.min(this.#tries, DELAYS.length - 1)] ?? 0, hasAnswer ? delayOf(transport) : 0)
    this.#tries += 1
    const isLate = Date.now() - this.#failingSince > PATIENCE && this.#tries > MIN_TRIES
    if (verdict === 'again' && !isLate) return this.#wait(turn, delay, problem, status)
    this.#block.retried = Number.POSITIVE_INFINITY
    if (!(verdict === 'other upload' && this.#attempt.restart(true))) this.#giveUp(problem, status)
    this.#trigger.call(transport, 'error', reason)
  }

  async #judge(status: number, { code = '' }: Answer): Promise<Verdict> {
    if (status === 0) return (await this.#attempt.isReadable()) ? 'again' : 'final'
    if (status === 404 || status === 410 || OTHER_UPLOAD.includes(code)) return 'other upload'
    if (code === 'wrongly_skipped') {
      // The page skips chunks that it should not. This script sends them; the service has to know.
      if (this.#tries > 1) return 'other upload'
      await this.#attempt.askAgain()
      return 'again'
    }
    const isTemporary = status >= 500 || [408, 409, 425, 429].includes(status)
    return isTemporary && !UNWANTED.includes(code) ? 'again' : 'final'
  }

  #wait(turn: number, delay: number, problem: Answer, status: number): void {
    const { file } = this.#attempt
    const again = (): void => {
      clearTimeout(timer)
      removeEventListener('online', again)
      if (turn === this.#turn) void this.#transport.send()
    }
    const timer = setTimeout(again, delay)
    addEventListener('online', again)
    this.#uploader.trigger('landfallWaiting', file, { ...problemOf(problem, status), delay })
  }

  #giveUp(problem: Answer, status: number): void {
    if (UNWANTED.includes(problem.code ?? '')) this.#attempt.end()
    this.#uploader.trigger('landfallFailed', this.#attempt.file, problemOf(problem, status))
  }
}

/** What pages learn of a refusal. */
export function problemOf({ code, message, missing }: Answer, status: number): Readonly<Record<string, unknown>> {
  return { code: code ?? (status === 0 ? 'unreachable' : `status_${status}`), message, missing, status }
}
