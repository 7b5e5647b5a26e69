import { randomBytes } from 'node:crypto'
import { link, open, readdir, rename, rm } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { systemCode } from '../core/errors.ts'
import type { Layout } from './layout.ts'

/** The right to be the one process that works on a data folder. */
export interface Owner {
  release(): Promise<void>
}

/** The longest path of a Unix socket that every system takes, in bytes. */
const LONGEST_SOCKET_PATH = 100
const PREFIX = '.owner-'
/** What an owner says to those who ask; one that only wants to be it says nothing before that is decided. */
const OWNED = 'owned'

/**
 * Makes this process the owner of the data folder. Whether an earlier owner lives is told by its Unix socket: the kernel
 * closes it when the process dies, so there is nothing to time out.
 *
 * Each process that wants to be the owner listens under a name of its own, which nobody else takes away while it lives, and only
 * then looks for others: of two, at least one finds the other. An owner is never put aside; of those who want to be it, the one
 * whose name is the lowest is.
 *
 * @throws Error with a sentence when another process owns it.
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
    await candidate.listen(reach(own))
    const common = path.basename(layout.ownerSocket)
    const others = (await readdir(layout.root)).filter((name) => name.startsWith(PREFIX) && name !== own)
    for (const name of [common, ...others]) {
      if (!(await givesWay(reach(name), own < name && name !== common))) throw new Error(owned(layout))
    }
    // Nobody else comes this far until the process ends: what is found now is nobody's, or its owner is about to give up.
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

/** A name for a file in the folder that is short enough for a socket. */
function reachable(folder: string, name: string, descriptor: number): string {
  const full = path.join(folder, name)
  if (Buffer.byteLength(full) <= LONGEST_SOCKET_PATH) return full
  const relative = path.relative(process.cwd(), full)
  if (Buffer.byteLength(relative) <= LONGEST_SOCKET_PATH) return relative
  return `/proc/self/fd/${descriptor}/${name}`
}

/**
 * Under the common name earlier versions look for an owner.
 *
 * @throws the system's error `ENOENT` when another owner, which has died since, has taken this one for dead before it listened.
 */
async function putInPlace(layout: Layout, own: string): Promise<void> {
  const second = path.join(layout.root, `${own}.link`)
  try {
    await link(path.join(layout.root, own), second)
    await rename(second, layout.ownerSocket)
  } catch (error) {
    // Not every file system has a second name for a socket.
    if (systemCode(error) === 'ENOENT') throw error
  }
}

/** One that wants to be the owner, or is it. Those who ask it are kept until that is decided. */
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

/** Whether nobody listens there, or one who wants to be the owner gives up; that is waited for only where it `must`. */
function givesWay(socketPath: string, must: boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath)
    socket.once('connect', () => {
      if (must) {
        text(socket).then(
          (said) => resolve(said === ''),
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
  return `Another process works on the data folder ${layout.root}. Stop it first, or choose another DATA_DIR.`
}
