import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context } from 'koa'
import { systemCode, UploadError } from '../core/errors.ts'

/**
 * `body` when its first bytes are there, so that a file that cannot be read at all is still answered with a proper error.
 * From now on `body` is closed when the client goes away.
 *
 * @throws UploadError when `body` fails.
 */
export async function opened(ctx: Context, body: Readable): Promise<Readable> {
  ctx.res.once('close', () => body.destroy())
  await new Promise<void>((resolve, reject) => {
    body.once('readable', resolve)
    body.once('close', resolve)
    body.once('error', (error) => reject(readError(error)))
  })
  return body
}

/**
 * Answers with exactly `length` bytes of `body`, as fast as the client takes them. Returns when they are sent or the
 * client went away; in both cases `body` is closed.
 *
 * @throws UploadError when `body` fails or is not `length` bytes long. The connection is cut then, so that the client
 * does not take a part for the whole.
 */
export async function send(ctx: Context, body: Readable, length: number): Promise<void> {
  // Koa's own sending would log a client that goes away as an error, and would not say when all was sent.
  ctx.respond = false
  try {
    await pipeline(body, (chunks: AsyncIterable<Buffer>) => exactly(length, chunks), ctx.res)
  } catch (error) {
    if (systemCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw readError(error)
  }
}

/** Node does not compare what is sent with Content-Length: the client would wait, or mistake the next answer for bytes. */
async function* exactly(length: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let left = length
  for await (const chunk of chunks) {
    left -= chunk.length
    if (left < 0) break
    yield chunk
  }
  if (left !== 0) throw new RangeError(`what is stored is not ${length} bytes long`)
}

function readError(error: unknown): UploadError {
  if (error instanceof UploadError) return error
  return new UploadError('storage_error', 'The file could not be read.', { cause: error })
}
