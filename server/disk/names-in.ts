import { opendir } from 'node:fs/promises'

/** How many names to read at once. */
const BATCH = 256

/**
 * Lists the names in a directory, one at a time: there may be very many. Names added or removed meanwhile may or may
 * not appear.
 *
 * @throws the OS error.
 */
export async function* namesIn(folder: string): AsyncGenerator<string> {
  for await (const { name } of await opendir(folder, { bufferSize: BATCH })) yield name
}
