import { Readable } from 'node:stream'
import { copied } from '../core/copied.ts'

/**
 * A stream of bytes that can be the body of a `Response`.
 *
 * Node 20 throws where nothing can catch it, which ends the process, if the client of a `Response` disconnects while the
 * iterator of its body is asked for more and has no more. So a cancelled iterator fails instead of ending.
 */
export function responseStream(bytes: AsyncIterable<Buffer>): Readable {
  const stream = Readable.from(copied(bytes), { objectMode: false })
  const iterate = stream[Symbol.asyncIterator].bind(stream)
  Object.defineProperty(stream, Symbol.asyncIterator, { value: () => failingWhenCancelled(iterate()) })
  return stream
}

function failingWhenCancelled(iterator: AsyncIterator<unknown>): AsyncIterableIterator<unknown> {
  let isCancelled = false
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: async () => {
      const result = await iterator.next()
      if (isCancelled && result.done === true) throw new Error('The stream was cancelled.')
      return result
    },
    return: async (value) => {
      isCancelled = true
      return (await iterator.return?.(value)) ?? { done: true, value }
    },
  }
}
