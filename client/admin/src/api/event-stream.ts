/** An event of a stream (HTML Standard, 9.2). */
export interface StreamEvent {
  readonly name: string
  readonly data: string
}

/** Maximum length of an event, in characters: a longer one ends the stream. */
const MAX_EVENT = 1024 * 1024

/**
 * Reads server-sent events from the body of a response. `EventSource` cannot send a token.
 *
 * @throws TypeError, as `fetch` does, when the connection breaks; RangeError when an event is too long.
 */
export async function* eventsIn(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<StreamEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + value).split(/\r?\n\r?\n/)
      rest = blocks.pop() ?? ''
      if (rest.length > MAX_EVENT) throw new RangeError('An event is too long.')
      for (const block of blocks) {
        const event = eventOf(block)
        if (event !== undefined) yield event
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** Comments, which keep the connection open, are no events. */
function eventOf(block: string): StreamEvent | undefined {
  let name = 'message'
  const data: string[] = []
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') name = value
    if (field === 'data') data.push(value)
  }
  return data.length === 0 ? undefined : { name, data: data.join('\n') }
}
