import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { clientOf } from './address-limits.ts'
import type { Line } from './one-by-one.ts'
import { LONGEST_HEAD } from './request-head.ts'

/** How many bytes of unfinished heads the process holds at most, beside what comes between two looks. */
const MOST = 32 * 1024 * 1024
/** So many connections cannot hold more than that. */
const FEW = MOST / LONGEST_HEAD
/** How often it is looked at. Milliseconds. */
const EVERY = 100

/**
 * Closes connections when the heads of requests that they have begun, and did not end, take too much memory together: those of the
 * client that holds the most go first. Ended heads are soon used and free.
 *
 * @param open the connections that are open.
 */
export function boundHeads(server: Server, open: ReadonlyMap<Duplex, Line>): void {
  let isWatched = false
  const look = (): void => {
    isWatched = open.size > FEW
    if (!isWatched) return
    closeSurplus([...open.values()])
    setTimeout(look, EVERY).unref()
  }
  server.on('connection', () => {
    if (!isWatched && open.size > FEW) look()
  })
}

interface Client {
  readonly lines: Line[]
  bytes: number
}

function closeSurplus(lines: readonly Line[]): void {
  let surplus = -MOST
  for (const line of lines) surplus += line.heldBytes
  if (surplus <= 0) return
  for (const client of clientsOf(lines)) {
    if (surplus <= 0) return
    surplus -= client.bytes
    for (const { socket } of client.lines) socket.destroy()
  }
}

/** The clients that hold something, those that hold the most first. */
function clientsOf(lines: readonly Line[]): readonly Client[] {
  const clients = new Map<string, Client>()
  for (const line of lines) {
    const { heldBytes, socket } = line
    if (heldBytes === 0) continue
    const address = clientOf(socket.remoteAddress ?? '')
    const client = clients.get(address) ?? { lines: [], bytes: 0 }
    client.lines.push(line)
    client.bytes += heldBytes
    clients.set(address, client)
  }
  return [...clients.values()].sort((a, b) => b.bytes - a.bytes)
}
