import { Readable } from 'node:stream'

/**
 * A stream of bytes that can be the body of a `Response`.
 *
 * Node 20 throws where nothing can catch it, which ends the process, if the client of a `Response` disconnects while the
 * iterator of its body is asked for more and has no more. So a cancelled iterator fails instead of ending.
 */
export function responseStream(bytes: AsyncIterable<Buffer>): Readable {
  const stream = Readable.from(copied(bytes), { objectMode: false })
  const iterate = stream[Symbol.asyncIterator].bind(stream)
  stream[Symbol.asyncIterator] = () => failingWhenCancelled(iterate())
  return stream
}

/** A buffer of the store is used again when the next one is read; a stream reads ahead. */
async function* copied(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of bytes) yield Buffer.from(piece)
}

function failingWhenCancelled(iterator: NodeJS.AsyncIterator<unknown>): NodeJS.AsyncIterator<unknown> {
  let isCancelled = false
  const end = async (value?: unknown): Promise<IteratorResult<unknown>> => {
    isCancelled = true
    return (await iterator.return?.(value)) ?? { done: true, value }
  }
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: async () => {
      const result = await iterator.next()
      if (isCancelled && result.done === true) throw new Error('The stream was cancelled.')
      return result
    },
    return: end,
    [Symbol.asyncDispose]: async () => {
      await end()
    },
  }
}
