import type { Server } from 'node:http'
import { clientOf } from '../http/address-limits.ts'

/** Closes new connections of a client that has `most` open; 0 for no limit. Behind a proxy, all have its address. */
export function limitConnections(server: Server, most: number): void {
  if (most === 0) return
  const open = new Map<string, number>()
  server.on('connection', (socket) => {
    const address = clientOf(socket.remoteAddress ?? '')
    const count = open.get(address) ?? 0
    if (count >= most) {
      socket.destroy()
      return
    }
    open.set(address, count + 1)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  })
}
