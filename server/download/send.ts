import type { ServerResponse } from 'node:http'
import { UploadError } from '../core/errors.ts'

/** A body of which the first bytes are there. Whoever has opened it closes `rest`. */
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
 * client went away.
 *
 * @throws UploadError when the body fails or is not `length` bytes long. The connection is cut then, so that the client
 * does not take a part for the whole.
 */
export async function send(res: ServerResponse, { first, rest }: OpenedBody, length: number): Promise<void> {
  const writer = writerTo(res)
  let left = length
  try {
    for (let next = first; left > 0 && next.done !== true; next = await rest.next()) {
      left -= next.value.length
      if (left < 0) break
      if (!(await writer.write(next.value, left === 0))) return
    }
    // Node does not compare what is sent with Content-Length: the client would wait, or mistake the next answer for bytes.
    if (left !== 0) throw new RangeError(`what is stored is not ${length} bytes long`)
  } catch (error) {
    res.destroy()
    throw readError(error)
  } finally {
    writer.close()
  }
}

interface Writer {
  /** Sends bytes, the last of them or not. @returns whether they are with the system; `false` when the client is gone. */
  write(bytes: Buffer, isLast: boolean): Promise<boolean>
  close(): void
}

/** The socket is listened to as well: a response behind another one of its connection has none yet, and hears nothing. */
function writerTo(response: ServerResponse): Writer {
  const { socket } = response.req
  let resolveWrite: (isSent: boolean) => void = () => undefined
  const onClose = (): void => resolveWrite(false)
  response.once('close', onClose)
  socket.once('close', onClose)
  return {
    write: (bytes, isLast) =>
      new Promise((resolve) => {
        resolveWrite = resolve
        if (response.destroyed || socket.destroyed) resolve(false)
        else if (isLast) response.end(bytes, () => resolve(true))
        else response.write(bytes, (error) => resolve(!error))
      }),
    close: () => {
      response.off('close', onClose)
      socket.off('close', onClose)
    },
  }
}

function readError(error: unknown): UploadError {
  if (error instanceof UploadError) return error
  return new UploadError('storage_error', 'The file could not be read.', { cause: error })
}
