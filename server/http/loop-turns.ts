/** Waiting work by client. */
const waiting = new Map<string, (() => void)[]>()

/**
 * Resolves when a client may start work that blocks the process for milliseconds. One starts per round of the event
 * loop, and clients take turns: hundreds of such requests delay neither other requests nor other clients.
 */
export function clientTurn(client: string): Promise<void> {
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
  // Behind all other clients.
  waiting.delete(client)
  if (line.length > 0) waiting.set(client, line)
  if (waiting.size > 0) setImmediate(beginNext)
  begin?.()
}
