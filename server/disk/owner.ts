import { randomBytes } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { systemCode } from '../core/errors.ts'
import type { Layout } from './layout.ts'

/** The right to be the one process that works on a data folder. */
export interface Owner {
  release(): Promise<void>
}

/** The longest path of a Unix socket that every system takes, in bytes. */
const LONGEST_SOCKET_PATH = 100

/**
 * Makes this process the owner of the data folder. Whether an earlier owner lives is told by its Unix socket: the kernel
 * closes it when the process dies, so there is nothing to time out.
 *
 * @throws Error with a sentence when another process owns it.
 */
export async function takeOwnership(layout: Layout): Promise<Owner> {
  const folder = await open(layout.root, 'r')
  try {
    const name = path.basename(layout.ownerSocket)
    await clearAway(layout, name, (file) => reachable(layout.root, file, folder.fd))
    const server = net.createServer((socket) => socket.destroy())
    await listen(server, reachable(layout.root, name, folder.fd))
    server.unref()
    return {
      release: async () => {
        await new Promise<void>((resolve) => server.close(() => resolve()))
        await folder.close()
      },
    }
  } catch (error) {
    await folder.close()
    if (systemCode(error) === 'EADDRINUSE') throw new Error(owned(layout))
    throw error
  }
}

/** A name for a file in the folder that is short enough for a socket. */
function reachable(folder: string, name: string, descriptor: number): string {
  const full = path.join(folder, name)
  if (Buffer.byteLength(full) <= LONGEST_SOCKET_PATH) return full
  const relative = path.relative(process.cwd(), full)
  if (Buffer.byteLength(relative) <= LONGEST_SOCKET_PATH) return relative
  return `/proc/self/fd/${descriptor}/${name}`
}

/** Removes the socket of an owner that died. */
async function clearAway(layout: Layout, name: string, reach: (file: string) => string): Promise<void> {
  const found = await probe(reach(name))
  if (found === 'none') return
  if (found === 'alive') throw new Error(owned(layout))
  const aside = `.owner-${randomBytes(4).toString('hex')}`
  try {
    await rename(path.join(layout.root, name), path.join(layout.root, aside))
  } catch (error) {
    // Somebody else has found the dead owner, too, and was faster.
    if (systemCode(error) === 'ENOENT') throw new Error(owned(layout))
    throw error
  }
  // Another process may have put its own socket there between the two calls: then it gets it back.
  if ((await probe(reach(aside))) === 'alive') {
    await link(path.join(layout.root, aside), path.join(layout.root, name)).catch(() => undefined)
    await rm(path.join(layout.root, aside))
    throw new Error(owned(layout))
  }
  await rm(path.join(layout.root, aside), { force: true })
}

function owned(layout: Layout): string {
  return `Another process works on the data folder ${layout.root}. Stop it first, or choose another DATA_DIR.`
}

function probe(socketPath: string): Promise<'alive' | 'dead' | 'none'> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath)
    socket.once('connect', () => {
      socket.destroy()
      resolve('alive')
    })
    socket.once('error', (error) => {
      const code = systemCode(error)
      if (code === 'ECONNREFUSED') resolve('dead')
      else if (code === 'ENOENT') resolve('none')
      else reject(error)
    })
  })
}

function listen(server: net.Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
