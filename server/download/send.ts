import type { ServerResponse } from 'node:http'
import { UploadError } from '../core/errors.ts'

/** A body of which the first bytes are there. */
export interface OpenedBody {
  readonly first: IteratorResult<Buffer, unknown>
  readonly rest: AsyncIterator<Buffer>
}

/**
 * Waits for the first bytes, so that a file that cannot be read at all is still answered with a proper error.
 *
 * @throws UploadError when `body` fails.
 */
export async function opened(body: AsyncIterable<Buffer>): Promise<OpenedBody> {
  const rest = body[Symbol.asyncIterator]()
  try {
    return { first: await rest.next(), rest }
  } catch (error) {
    throw readError(error)
  }
}

/**
 * Answers with exactly `length` bytes of the body, as fast as the client takes them. Returns when they are sent or the
 * client went away; in both cases the body is closed.
 *
 * @throws UploadError when the body fails or is not `length` bytes long. The connection is cut then, so that the client
 * does not take a part for the whole.
 */
export async function send(res: ServerResponse, { first, rest }: OpenedBody, length: number): Promise<void> {
  const write = writerTo(res)
  let left = length
  try {
    for (let next = first; next.done !== true; next = await rest.next()) {
      left -= next.value.length
      if (left < 0) break
      if (!(await write(next.value))) return
    }
    // Node does not compare what is sent with Content-Length: the client would wait, or mistake the next answer for bytes.
    if (left !== 0) throw new RangeError(`what is stored is not ${length} bytes long`)
    res.end()
  } catch (error) {
    res.destroy()
    throw readError(error)
  } finally {
    await rest.return?.()
  }
}

/** Gives a function that sends bytes and tells when they are with the system, or `false` when the client is gone. */
function writerTo(response: ServerResponse): (bytes: Buffer) => Promise<boolean> {
  let settle: (isSent: boolean) => void = () => undefined
  response.once('close', () => settle(false))
  return (bytes) =>
    new Promise((resolve) => {
      settle = resolve
      if (response.destroyed) resolve(false)
      else response.write(bytes, (error) => resolve(!error))
    })
}

function readError(error: unknown): UploadError {
  if (error instanceof UploadError) return error
  return new UploadError('storage_error', 'The file could not be read.', { cause: error })
}
