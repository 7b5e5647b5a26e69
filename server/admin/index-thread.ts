import { Worker } from 'node:worker_threads'
import { UploadError } from '../core/errors.ts'
import type { IndexAnswers, IndexQuestion } from './index/rows.ts'
import type { WorkerAnswer } from './index-worker.ts'

/** Next to this module, also in the bundle. */
const WORKER = 'index-worker.js'

/** The heap of the worker, in MiB; the arrays of the index are outside of it. */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 }

interface Waiting {
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

/** A running index, in its own thread. */
export class IndexThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #number = 0
  #isOver = false

  /** @param onEnd called once when the thread has ended, for whatever reason but `close`. */
  constructor(onEnd: (error: Error | undefined) => void) {
    this.#worker = new Worker(new URL(WORKER, import.meta.url), { resourceLimits: HEAP_LIMITS })
    this.#worker.unref()
    let failure: Error | undefined
    this.#worker.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error))
    })
    this.#worker.on('exit', () => {
      if (this.#isOver) return
      this.#end()
      onEnd(failure)
    })
    this.#worker.on('message', ({ number, answer }: WorkerAnswer) => {
      const waiting = this.#waiting.get(number)
      this.#waiting.delete(number)
      if (answer === 'bad_cursor') {
        waiting?.reject(new UploadError('bad_request', 'after is not a cursor of this order.'))
      } else waiting?.resolve(answer as never)
    })
  }

  /** How many questions have no answer yet. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** @throws UploadError `bad_request` for a wrong cursor, `index_building` when the thread ends. */
  ask<Q extends IndexQuestion>(question: Q): Promise<IndexAnswers[Q['kind']]> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) {
        reject(building(null))
        return
      }
      this.#number += 1
      this.#waiting.set(this.#number, { resolve, reject })
      this.#worker.postMessage({ number: this.#number, question })
    })
  }

  async close(): Promise<void> {
    this.#end()
    await this.#worker.terminate()
  }

  #end(): void {
    this.#isOver = true
    for (const { reject } of this.#waiting.values()) reject(building(null))
    this.#waiting.clear()
  }
}

/** The error while the index is being built. @param progress from 0 to 1, `null` if it is not known. */
export function building(progress: number | null): UploadError {
  return new UploadError('index_building', 'The index of uploads is being built; try again in a moment.', {
    details: { progress, retry_after: 1 },
  })
}
