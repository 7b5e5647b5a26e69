import { chmod, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { queue } from '../core/queue.ts'
import { exists, ifThere, openNew } from './files.ts'
import type { Layout } from './layout.ts'

/** Maximum rejected files that are kept. */
const MAX_FILES = 1_000

const ENDING = '.rejected'

/** Where the bytes of a rejected upload are, for the operator only: no request reads this directory. */
export function rejectedFile({ quarantine }: Layout, id: string): string {
  return path.join(quarantine, `${id}${ENDING}`)
}

/** The rejected files in the quarantine: when there are too many, the oldest are removed. */
export class Quarantine {
  readonly #layout: Layout
  readonly #maxBytes: number
  readonly #inTurn = queue()
  /** Sizes in bytes by id, oldest first; read from the directory once. */
  #sizes: Map<string, number> | undefined

  /** @param maxBytes maximum bytes of all rejected files. */
  constructor(layout: Layout, maxBytes: number) {
    this.#layout = layout
    this.#maxBytes = maxBytes
  }

  /**
   * Moves the bytes of a rejected upload into the quarantine, unless that has happened.
   *
   * @param moved called when the bytes have left `incoming`.
   * @throws the OS error.
   */
  async take(id: string, moved: () => void = () => undefined): Promise<void> {
    const incoming = this.#layout.incomingFile(id)
    const { size, nlink } = (await ifThere(() => stat(incoming))) ?? { size: 0, nlink: 1 }
    if (size > 0) {
      // The mode of a file with several links is that of all of them. The directory is private.
      if (nlink === 1) await chmod(incoming, 0o600)
      await rename(incoming, rejectedFile(this.#layout, id))
      moved()
      await this.#inTurn(() => this.#makeRoom(id, size))
    }
    // An upload without a file would be gone, and its client would not learn why.
    if (!(await exists(incoming))) await (await openNew(incoming)).close()
  }

  /** Whether it has the rejected bytes of an upload. @throws the OS error. */
  has(id: string): Promise<boolean> {
    return exists(rejectedFile(this.#layout, id))
  }

  /**
   * Moves the rejected bytes of an upload back to their place in `incoming`, in one step.
   *
   * @throws the OS error, `ENOENT` without them.
   */
  async giveBack(id: string): Promise<void> {
    await rename(rejectedFile(this.#layout, id), this.#layout.incomingFile(id))
    this.#sizes?.delete(id)
  }

  /** Removes the rejected bytes of an upload, if there are any. @throws the OS error. */
  async remove(id: string): Promise<void> {
    await rm(rejectedFile(this.#layout, id), { force: true })
    this.#sizes?.delete(id)
  }

  async #makeRoom(id: string, size: number): Promise<void> {
    this.#sizes ??= await sizesIn(this.#layout)
    const sizes = this.#sizes
    sizes.set(id, size)
    let total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
    for (const [oldest, bytes] of sizes) {
      if (sizes.size <= MAX_FILES && total <= this.#maxBytes) return
      await this.remove(oldest)
      total -= bytes
    }
  }
}

/** How many rejected files a data directory has, and their bytes. @throws the OS error. */
export async function rejectedFiles(layout: Layout): Promise<{ readonly count: number; readonly bytes: number }> {
  const sizes = [...(await sizesIn(layout)).values()]
  return { count: sizes.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) }
}

async function sizesIn(layout: Layout): Promise<Map<string, number>> {
  const found: { id: string; size: number; changed: number }[] = []
  for (const name of await readdir(layout.quarantine)) {
    if (!name.endsWith(ENDING)) continue
    const stats = await ifThere(() => stat(path.join(layout.quarantine, name)))
    if (stats !== undefined) found.push({ id: name.slice(0, -ENDING.length), size: stats.size, changed: stats.ctimeMs })
  }
  found.sort((a, b) => a.changed - b.changed)
  return new Map(found.map(({ id, size }) => [id, size]))
}
