import type { Readable } from 'node:stream'

/** Maximum bytes of a scanner's words in the log. */
const MAX_BYTES = 500

/** The beginning of the first line of a stream, which is read to its end. Never throws. */
export async function firstLine(stream: Readable): Promise<string> {
  let text = ''
  try {
    for await (const bytes of stream) if (text.length < MAX_BYTES) text += String(bytes)
  } catch {
    // What has arrived is enough.
  }
  return (
    text
      .trimStart()
      .split(/[\r\n\0]/, 1)[0]
      ?.slice(0, MAX_BYTES) ?? ''
  )
}
