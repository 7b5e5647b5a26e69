import { randomBytes } from 'node:crypto'
import { link, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { systemCode } from '../core/errors.ts'
import type { Layout } from './layout.ts'

/** The exclusive right of a process to use a data directory. */
export interface Owner {
  release(): Promise<void>
}

/** Maximum length of the path of a Unix socket on every OS, in bytes. */
const MAX_SOCKET_PATH = 100
const PREFIX = '.owner-'
/** An owner sends this on a connection. A candidate sends nothing until the ownership is decided. */
const OWNED = 'owned'

/**
 * Makes this process the owner of the data directory. An owner lives as long as its Unix socket accepts connections:
 * the kernel closes the socket when the process dies, so nothing has to time out.
 *
 * Each candidate first listens under a unique name, which no other process removes while it lives, and then looks for
 * others: of two candidates, at least one finds the other. An owner always wins, and among candidates the lowest name.
 *
 * @throws Error with a sentence for the operator when another process owns the directory.
 */
export async function takeOwnership(layout: Layout): Promise<Owner> {
  const folder = await open(layout.root, 'r')
  const reach = (name: string): string => reachable(layout.root, name, folder.fd)
  const own = `${PREFIX}${randomBytes(8).toString('hex')}`
  const candidate = new Candidate()
  const giveUp = async (): Promise<void> => {
    await candidate.close()
    await folder.close()
  }
  try {
    await candidate.listen(reach(own)).catch((error: unknown) => explain(error, layout, own))
    const common = path.basename(layout.ownerSocket)
    const others = (await readdir(layout.root)).filter((name) => name.startsWith(PREFIX) && name !== own)
    for (const name of [common, ...others]) {
      if (!(await givesWay(reach(name), own < name && name !== common))) throw new Error(owned(layout))
    }
    // No other process gets this far while this one lives: the other sockets are dead, or their owners give way.
    await putInPlace(layout, own)
    candidate.win()
    for (const name of others) await rm(path.join(layout.root, name), { force: true })
  } catch (error) {
    await giveUp()
    throw error
  }
  return {
    release: async () => {
      await rm(layout.ownerSocket, { force: true })
      await giveUp()
    },
  }
}

/** @throws Error with a sentence for the operator when the directory can have files, but no sockets; else the OS error. */
async function explain(error: unknown, layout: Layout, name: string): Promise<never> {
  const file = path.join(layout.root, `${name}.file`)
  const takesFiles = await writeFile(file, '', { flag: 'wx' }).then(
    () => rm(file).then(() => true),
    () => false,
  )
  if (!takesFiles) throw error
  throw new Error(
    `${layout.root} can have files, but no Unix sockets (${systemCode(error)}), which is so on SMB mounts: ` +
      'choose a DATA_DIR on a local disk.',
  )
}

/** A path of a file in the directory that is short enough for a socket. */
function reachable(folder: string, name: string, descriptor: number): string {
  const full = path.join(folder, name)
  if (Buffer.byteLength(full) <= MAX_SOCKET_PATH) return full
  const relative = path.relative(process.cwd(), full)
  if (Buffer.byteLength(relative) <= MAX_SOCKET_PATH) return relative
  return `/proc/self/fd/${descriptor}/${name}`
}

/**
 * Adds the common name, under which earlier versions look for an owner.
 *
 * @throws the OS error `ENOENT` when another owner, which has died since, removed this socket before it listened.
 */
async function putInPlace(layout: Layout, own: string): Promise<void> {
  const second = path.join(layout.root, `${own}.link`)
  try {
    await link(path.join(layout.root, own), second)
    await rename(second, layout.ownerSocket)
  } catch (error) {
    // Not every file system supports a hard link to a socket.
    if (systemCode(error) === 'ENOENT') throw error
  }
}

/** A process that wants to be the owner, or is it. It keeps connections open until that is decided. */
class Candidate {
  readonly #asking = new Set<net.Socket>()
  #isOwner = false
  readonly #server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    if (this.#isOwner) socket.end(OWNED)
    else this.#asking.add(socket.once('close', () => this.#asking.delete(socket)))
  })

  listen(socketPath: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(socketPath, () => {
        this.#server.off('error', reject)
        this.#server.unref()
        resolve()
      })
    })
  }

  win(): void {
    this.#isOwner = true
    for (const socket of this.#asking) socket.end(OWNED)
  }

  async close(): Promise<void> {
    for (const socket of this.#asking) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

/** Whether no process listens, or, where it `must`, the candidate that listens gives way. */
function givesWay(socketPath: string, must: boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath)
    socket.once('connect', () => {
      if (must) {
        text(socket).then(
          (answer) => resolve(answer === ''),
          () => resolve(true),
        )
      } else {
        socket.destroy()
        resolve(false)
      }
    })
    socket.once('error', (error) => {
      const code = systemCode(error)
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'ENOENT') resolve(true)
      else reject(error)
    })
  })
}

function owned(layout: Layout): string {
  return `Another process is using the data directory ${layout.root}. Stop it first, or choose another DATA_DIR.`
}
