import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { clientOf } from '../http/address-limits.ts'
import type { Pipeline } from './pipeline.ts'
import { MAX_HEAD_BYTES } from './request-head.ts'

/** Maximum bytes of unfinished heads in the process, apart from those that arrive between two checks. */
const MAX_BYTES = 32 * 1024 * 1024
/** This many connections cannot exceed that. */
const SAFE_CONNECTIONS = MAX_BYTES / MAX_HEAD_BYTES
/** Interval of the checks. Milliseconds. */
const CHECK_INTERVAL = 100

/**
 * Closes connections when their unfinished request heads together take too much memory, starting with the client that
 * holds the most. Finished heads are soon processed and freed.
 *
 * @param open the open connections.
 */
export function boundHeads(server: Server, open: ReadonlyMap<Duplex, Pipeline>): void {
  let isWatched = false
  const look = (): void => {
    isWatched = open.size > SAFE_CONNECTIONS
    if (!isWatched) return
    closeSurplus([...open.values()])
    setTimeout(look, CHECK_INTERVAL).unref()
  }
  server.on('connection', () => {
    if (!isWatched && open.size > SAFE_CONNECTIONS) look()
  })
}

interface Client {
  readonly pipelines: Pipeline[]
  bytes: number
}

function closeSurplus(pipelines: readonly Pipeline[]): void {
  let surplus = -MAX_BYTES
  for (const pipeline of pipelines) surplus += pipeline.heldBytes
  if (surplus <= 0) return
  for (const client of clientsOf(pipelines)) {
    if (surplus <= 0) return
    surplus -= client.bytes
    for (const { socket } of client.pipelines) socket.destroy()
  }
}

/** Clients with buffered heads, the largest first. */
function clientsOf(pipelines: readonly Pipeline[]): readonly Client[] {
  const clients = new Map<string, Client>()
  for (const pipeline of pipelines) {
    const { heldBytes, socket } = pipeline
    if (heldBytes === 0) continue
    const address = clientOf(socket.remoteAddress ?? '')
    const client = clients.get(address) ?? { pipelines: [], bytes: 0 }
    client.pipelines.push(pipeline)
    client.bytes += heldBytes
    clients.set(address, client)
  }
  return [...clients.values()].sort((a, b) => b.bytes - a.bytes)
}
