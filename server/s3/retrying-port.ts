import { setTimeout as sleep } from 'node:timers/promises'
import { measured, S3_CALLS } from '../core/measured.ts'
import type { Range } from '../core/ranges.ts'
import { S3Error } from './s3-error.ts'
import type {
  Answered,
  ListOptions,
  ListPage,
  ObjectHead,
  ObjectOptions,
  PartCopy,
  PutOptions,
  S3Port,
  SmallObject,
} from './s3-port.ts'

/** How long after the first try another one may begin, in milliseconds. */
const PATIENCE = 20_000

/** The pause after the first try, in milliseconds; each further one doubles, up to the longest. */
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 3_000

/** Refusals of requests that will be accepted if they are sent again. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'ConditionalRequestConflict',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'TooManyRequestsException',
])

/** These stay as they are. */
const PERMANENT: ReadonlySet<string> = new Set(['NotImplemented', 'MethodNotAllowed'])

type Operation = Exclude<keyof S3Port, 'close' | 'read'>

/** Time and chance. */
export interface Pauses {
  /** Milliseconds, from any beginning on. */
  now(): number
  /** @throws if the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<unknown>
  /** From 0 up to but not including 1. */
  random(): number
}

const REAL_PAUSES: Pauses = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
  random: Math.random,
}

/**
 * Sends failed requests again, with the same bytes under the same name, for 20 s.
 *
 * A write of which any try may have been applied stays unknown, whatever the last one is answered: the earlier one may
 * still be on its way. But `exists` says what is there now: the caller reads back whose it is.
 */
export class RetryingPort implements S3Port {
  readonly #port: S3Port
  readonly #pauses: Pauses
  readonly #closing = new AbortController()

  constructor(port: S3Port, pauses: Pauses = REAL_PAUSES) {
    this.#port = port
    this.#pauses = pauses
  }

  put(key: string, body: Buffer, options?: PutOptions): Promise<Answered> {
    return this.#write('put', () => this.#port.put(key, body, options))
  }

  get(key: string): Promise<Answered & { readonly found: SmallObject | undefined }> {
    return this.#retry('get', () => this.#port.get(key))
  }

  async *read(key: string, range: Range): AsyncGenerator<Buffer> {
    let { start } = range
    for (let patience = this.#patience(); ; ) {
      try {
        for await (const bytes of this.#port.read(key, { start, end: range.end })) {
          start += bytes.length
          patience = this.#patience()
          yield bytes
        }
        return
      } catch (error) {
        await patience.after(error)
      }
    }
  }

  head(key: string): Promise<Answered & { readonly found: ObjectHead | undefined }> {
    return this.#retry('head', () => this.#port.head(key))
  }

  list(prefix: string, options?: ListOptions): Promise<Answered & ListPage> {
    return this.#retry('list', () => this.#port.list(prefix, options))
  }

  remove(keys: readonly string[]): Promise<Answered> {
    return this.#write('remove', () => this.#port.remove(keys))
  }

  copy(from: string, to: string, options?: ObjectOptions): Promise<Answered> {
    return this.#write('copy', () => this.#port.copy(from, to, options))
  }

  createMultipart(key: string, options?: ObjectOptions): Promise<string> {
    return this.#write('createMultipart', () => this.#port.createMultipart(key, options))
  }

  /** What an earlier try has left is no part of the file: nothing knows its ETag. */
  copyPart(part: PartCopy): Promise<string> {
    return this.#retry('copyPart', () => this.#port.copyPart(part))
  }

  /** If an earlier try was applied, the multipart upload is absent. */
  complete(key: string, uploadId: string, etags: readonly string[]): Promise<Answered> {
    return this.#write('complete', () => this.#port.complete(key, uploadId, etags), 'absent')
  }

  abort(key: string, uploadId: string): Promise<Answered> {
    return this.#write('abort', () => this.#port.abort(key, uploadId))
  }

  close(): void {
    this.#closing.abort()
    this.#port.close()
  }

  /** @param sure an outcome that holds although an earlier try is unknown. */
  async #write<T>(operation: Operation, call: () => Promise<T>, sure?: 'absent'): Promise<T> {
    let doubt: S3Error | undefined
    try {
      return await this.#retry(operation, async () => {
        try {
          return await call()
        } catch (error) {
          if (error instanceof S3Error && error.outcome === 'unknown') doubt ??= error
          throw error
        }
      })
    } catch (error) {
      if (doubt === undefined || !(error instanceof S3Error)) throw error
      if (error.outcome === 'exists' || error.outcome === 'unknown' || error.outcome === sure) throw error
      const { code } = error
      throw new S3Error('unknown', `${error.message} An earlier try may have been applied: ${doubt.message}`, { code })
    }
  }

  #retry<T>(operation: Operation, call: () => Promise<T>): Promise<T> {
    return retry(() => measured(S3_CALLS, operation, call), this.#patience())
  }

  #patience(): Patience {
    return new Patience(this.#pauses, this.#closing.signal)
  }
}

/** Repeats a call of no port, for 20 s, while S3 may answer otherwise the next time. @throws S3Error of the last try. */
export function retried<T>(call: () => Promise<T>): Promise<T> {
  return retry(call, new Patience(REAL_PAUSES, new AbortController().signal))
}

async function retry<T>(call: () => Promise<T>, patience: Patience): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      await patience.after(error)
    }
  }
}

/** How long to go on with a call. */
class Patience {
  readonly #pauses: Pauses
  readonly #closing: AbortSignal
  readonly #end: number
  #pause = FIRST_PAUSE

  constructor(pauses: Pauses, closing: AbortSignal) {
    this.#pauses = pauses
    this.#closing = closing
    this.#end = pauses.now() + PATIENCE
  }

  /** Waits before the next try. @throws the error if there should be none. */
  async after(error: unknown): Promise<void> {
    if (!(error instanceof S3Error) || !mayPass(error)) throw error
    const pause = this.#pause * (0.5 + this.#pauses.random() / 2)
    if (this.#closing.aborted || this.#pauses.now() + pause > this.#end) throw error
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE)
    await this.#pauses.sleep(pause, this.#closing).catch(() => {
      throw error
    })
  }
}

function mayPass({ outcome, code }: S3Error): boolean {
  if (code !== undefined && PERMANENT.has(code)) return false
  return outcome === 'unknown' || (outcome === 'refused' && code !== undefined && TRANSIENT.has(code))
}
