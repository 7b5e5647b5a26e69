import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context } from 'koa'
import { systemCode, UploadError } from '../core/errors.ts'

/**
 * Answers with exactly `length` bytes of `body`, as fast as the client takes them. Returns when they are sent or the
 * client went away; in both cases `body` is closed.
 *
 * @throws UploadError when `body` fails or is too short. If bytes were sent already, the connection is cut, so that the
 * client does not take a part for the whole.
 */
export async function send(ctx: Context, body: Readable, length: number): Promise<void> {
  ctx.res.once('close', () => body.destroy())
  try {
    await opened(body)
    // Koa would log a client that goes away as an error, and not say when all was sent.
    ctx.respond = false
    await pipeline(body, (chunks: AsyncIterable<Buffer>) => exactly(length, chunks), ctx.res)
  } catch (error) {
    if (systemCode(error) === 'ERR_STREAM_PREMATURE_CLOSE') return
    throw readError(error)
  }
}

/** Waits for the first bytes: a file that cannot be opened is still answered with a proper error. */
function opened(body: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    body.once('readable', resolve)
    body.once('close', resolve)
    body.once('error', reject)
  })
}

/** Node does not compare what is sent with Content-Length: the client would wait, or mistake the next answer for bytes. */
async function* exactly(length: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let left = length
  for await (const chunk of chunks) {
    left -= chunk.length
    if (left < 0) break
    yield chunk
  }
  if (left !== 0) throw new RangeError(`the stored file is not as long as its record says: ${-left} bytes too many`)
}

function readError(error: unknown): UploadError {
  if (error instanceof UploadError) return error
  return new UploadError('storage_error', 'The file could not be read.', { cause: error })
}
