import type { Writable } from 'node:stream'
import type { ReceivedFile } from '../core/gate.ts'

/** How much of a file a scanner was given. */
export type Sent =
  | { readonly kind: 'whole' }
  /** The scanner has stopped reading. */
  | { readonly kind: 'refused' }
  /** The file could not be read. */
  | { readonly kind: 'unreadable'; readonly error: unknown }

/**
 * Sends the bytes of a file to a scanner. A pipe would do less: it does not tell a scanner that stops from a file that
 * cannot be read, and it asks for the next buffer while the last one, which is reused, is still being sent.
 *
 * @param write sends one buffer, and returns when it may be reused.
 */
export async function sendFile(file: ReceivedFile, write: (bytes: Buffer) => Promise<void>): Promise<Sent> {
  const bytes = file.read()[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await bytes.next().then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      )
      if ('error' in next) return { kind: 'unreadable', error: next.error }
      if (next.result.done) return { kind: 'whole' }
      await write(next.result.value)
    }
  } catch {
    return { kind: 'refused' }
  } finally {
    await bytes.return?.()
  }
}

/** Writes bytes; returns when they have left the process. @throws Error when the stream is closed. */
export function writeAndWait(stream: Writable, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const close = (): void => reject(new Error('The stream was closed.'))
    stream.once('close', close)
    stream.write(bytes, (error) => {
      stream.off('close', close)
      if (error) reject(error)
      else resolve()
    })
  })
}
