import { opendir } from 'node:fs/promises'

/** How many names are read at once. */
const BATCH = 256

/**
 * The names in a folder, one after the other: there may be very many. Names that come or go meanwhile may be among them or not.
 *
 * @throws the system's error.
 */
export async function* namesIn(folder: string): AsyncGenerator<string> {
  for await (const { name } of await opendir(folder, { bufferSize: BATCH })) yield name
}
