import type { Caller } from './caller.ts'
import { CheckHistory } from './check-history.ts'
import type { Identity } from './identity.ts'
import type { ChunkSet } from './which-upload.ts'

/** Maximum histories in memory. */
const MOST_OPEN = 256

/** Stores short texts by name. */
export interface TextStore {
  read(name: string): Promise<string | undefined>
  /** Calls for one name must not overlap. */
  write(name: string, text: string): Promise<void>
}

interface Open {
  readonly history: CheckHistory
  /** The text on disk. */
  text: string
  writing: Promise<void>
  writes: number
}

/** The histories of all visitors and tasks. A change is written before its caller continues. */
export class CheckHistories {
  readonly #store: TextStore
  readonly #open = new Map<string, Promise<Open>>()

  constructor(store: TextStore) {
    this.#store = store
  }

  /** Reads a history. @throws UploadError `storage_error`. */
  async read<T>(name: string, look: (history: CheckHistory) => T): Promise<T> {
    return look((await this.#get(name)).history)
  }

  /** Changes a history, and writes it if its text has changed. @throws UploadError `no_space`, `storage_error`. */
  async change(name: string, change: (history: CheckHistory) => void): Promise<void> {
    const open = await this.#get(name)
    change(open.history)
    open.writes += 1
    const write = open.writing.then(async () => {
      const text = open.history.toString()
      if (text === open.text) return
      await this.#store.write(name, text)
      open.text = text
    })
    open.writing = write.catch(() => undefined)
    try {
      await write
    } finally {
      open.writes -= 1
    }
  }

  /** All chunks ever listed to the caller for a task. */
  listed(caller: Caller, group: string): Promise<ChunkSet> {
    return this.read(historyName(caller, group), (history) => history.listed(group))
  }

  async #get(name: string): Promise<Open> {
    const known = this.#open.get(name)
    const open = known ?? this.#load(name)
    // Inserted again, so that the map is in order of last use.
    this.#open.delete(name)
    this.#open.set(name, open)
    if (known === undefined) {
      open.catch(() => this.#open.delete(name))
      if (this.#open.size > MOST_OPEN) await this.#evict()
    }
    return open
  }

  async #load(name: string): Promise<Open> {
    const history = CheckHistory.from(await this.#store.read(name))
    return { history, text: history.toString(), writing: Promise.resolve(), writes: 0 }
  }

  async #evict(): Promise<void> {
    for (const [name, open] of this.#open) {
      if (this.#open.size <= MOST_OPEN) return
      const { writes } = await open.catch(() => ({ writes: 0 }))
      // A history with pending writes stays: the text on disk is out of date.
      if (writes === 0 && this.#open.get(name) === open) this.#open.delete(name)
    }
  }
}

/** The name of the history that records what `/check` has listed to the caller. */
export function historyName({ owner }: Caller, group: string): string {
  return owner ?? group
}

/** The key of a file name and size in a history. */
export function fileKey({ group, file }: Pick<Identity, 'group' | 'file'>, size: number): string {
  return `${file.slice(group.length + 1)}/${size}`
}
