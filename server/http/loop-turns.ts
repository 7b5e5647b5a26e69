/** What waits to begin, by its client. */
const waiting = new Map<string, (() => void)[]>()

/**
 * Resolves when it is the turn of a client to begin what keeps the process busy for milliseconds. One begins in each round of the
 * event loop, and clients take turns: hundreds of such questions at once hold up neither other requests nor other clients' questions.
 */
export function turnOf(client: string): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.size === 0) setImmediate(beginNext)
    const line = waiting.get(client)
    if (line === undefined) waiting.set(client, [resolve])
    else line.push(resolve)
  })
}

function beginNext(): void {
  const [next] = waiting
  if (next === undefined) return
  const [client, line] = next
  const begin = line.shift()
  // Its next turn comes when all others have had theirs.
  waiting.delete(client)
  if (line.length > 0) waiting.set(client, line)
  if (waiting.size > 0) setImmediate(beginNext)
  begin?.()
}
