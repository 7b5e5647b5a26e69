import type { ServerResponse } from 'node:http'
import { UploadError } from '../core/errors.ts'
import { traceOf } from '../http/trace.ts'

/** A body whose first bytes are read. The caller of `opened` closes `rest`. */
export interface OpenedBody {
  readonly first: IteratorResult<Buffer, unknown>
  readonly rest: AsyncIterator<Buffer>
}

/**
 * Reads the first bytes, so an unreadable file can still get an error response.
 *
 * @throws UploadError if `body` fails.
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
 * Sends exactly `length` bytes of the body, as fast as the client reads them. Returns when they are sent, or the client
 * has disconnected.
 *
 * @throws UploadError if the body fails or is not `length` bytes long. It closes the connection, so the client does not
 * mistake a part for the whole.
 */
export async function send(res: ServerResponse, { first, rest }: OpenedBody, length: number): Promise<void> {
  const writer = writerTo(res)
  const trace = traceOf(res.req)
  let left = length
  try {
    for (let next = first; left > 0 && next.done !== true; next = await rest.next()) {
      left -= next.value.length
      if (left < 0) break
      trace?.noteHead()
      if (!(await writer.write(next.value, left === 0))) return
      if (trace !== undefined) trace.sent += next.value.length
    }
    // Node does not enforce Content-Length: the client would wait, or mistake the next response for bytes.
    if (left !== 0) throw new RangeError(`what is stored is not ${length} bytes long`)
  } catch (error) {
    res.destroy()
    throw readError(error)
  } finally {
    writer.close()
  }
}

interface Writer {
  /** Sends bytes. @returns whether the OS has accepted them; `false` if the client has disconnected. */
  write(bytes: Buffer, isLast: boolean): Promise<boolean>
  close(): void
}

/** It watches the socket, too: a response behind another one has no socket yet, and emits nothing. */
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
