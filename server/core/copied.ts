/** Copies of buffers that the store uses again for the bytes after them: streams read ahead. */
export async function* copied(buffers: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const buffer of buffers) yield Buffer.from(buffer)
}
