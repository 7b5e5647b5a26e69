import type { ChosenFile } from '../files/chosen-file.ts'
import { type Fingerprints, fingerprintsOf } from './fingerprint.ts'
import type { KeptRows } from './kept-rows.ts'
import { limitsOf } from './limits.ts'
import type { Context } from './options.ts'
import { refusalOf } from './refusal.ts'
import { sameBytes } from './same-bytes.ts'
import type { UploadItem } from './upload-item.ts'
import type { UploadQueue } from './upload-queue.ts'

/** Callbacks for files that get no row of their own. */
export interface PlacementEvents {
  /** A chosen file is already being uploaded. */
  alreadyPresent(item: UploadItem): void
  /** More files were chosen than the list takes. */
  tooMany(most: number): void
}

/** Finds the row that a chosen file belongs to, or begins a new one. */
export class Placement {
  readonly #context: Context
  readonly #queue: UploadQueue
  readonly #kept: KeptRows
  readonly #events: PlacementEvents

  constructor(context: Context, queue: UploadQueue, kept: KeptRows, events: PlacementEvents) {
    this.#context = context
    this.#queue = queue
    this.#kept = kept
    this.#events = events
  }

  /** Starts a new upload, unless the service would refuse it. Returns whether the list has room. */
  begin(chosen: ChosenFile): boolean {
    const { options, service } = this.#context
    if (this.#queue.items.length >= options.maxFiles) {
      this.#events.tooMany(options.maxFiles)
      return false
    }
    const limits = limitsOf(service.visitor.session?.limits ?? {}, options.limits)
    const problem = refusalOf(chosen.file, limits, limits.quota === undefined ? 0 : this.#plannedBytes())
    const state = options.isManual ? 'paused' : 'waiting'
    this.#queue.append(problem === null ? { chosen, state } : { chosen, state: 'failed', problem })
    return true
  }

  /** Finds the row of a file among those that it may belong to. */
  async place(chosen: ChosenFile, alike: readonly UploadItem[], scope: string): Promise<void> {
    const fingerprints = await fingerprintsOf(chosen.file, scope).catch(() => null)
    for (const item of alike) {
      // The file of a row that was not sent yet has no fingerprint.
      if (item.fingerprint === null && item.file !== null) item.fingerprint = await fingerprintOf(item.file, scope)
    }
    if (scope !== this.#kept.scope) return
    if (fingerprints === null) this.#queue.append({ chosen, state: 'failed', problem: { key: 'problem.file' } })
    else void this.#placeByContent(chosen, fingerprints, alike)
  }

  /** Finds the row of a file. A row with its fingerprint is its row only if every byte is the same. */
  async #placeByContent(
    chosen: ChosenFile,
    { current, former }: Fingerprints,
    alike: readonly UploadItem[],
  ): Promise<void> {
    const found = alike.filter(({ fingerprint, url }) =>
      fingerprint === null ? url !== null : fingerprint === current || fingerprint === former,
    )
    // Nothing was sent for this row, so any file of that name and size may take it.
    const unsent = alike.find((item) => item.state === 'remembered' && item.url === null)
    const present = found.filter((item) => this.#queue.items.includes(item))
    // Limits may have changed since a refusal.
    for (const item of present) if (item.refused) this.#queue.remove(item)
    const candidates = present.filter((item) => !item.refused)
    const rivals = candidates.filter((item) => !item.lacksFile)
    const begin = (): void => {
      if (unsent !== undefined && unsent.state === 'remembered' && this.#queue.items.includes(unsent)) {
        unsent.handle = chosen.handle
        unsent.lend(chosen.file, current, () => undefined)
      } else this.begin(chosen)
    }
    if (rivals.length === 0) return this.#resumeOrBegin(chosen, current, candidates, begin)

    const row = this.#queue.append({ chosen, state: 'comparing' })
    const same = await this.#findSame(row, chosen.file, rivals)
    if (row.state !== 'comparing' || !this.#queue.items.includes(row)) return
    if (same !== undefined) {
      this.#queue.remove(row)
      if (same.state === 'paused' || same.state === 'failed') same.queue()
      else this.#events.alreadyPresent(same)
    } else if (candidates.some((item) => item.lacksFile)) {
      this.#queue.remove(row)
      this.#resumeOrBegin(chosen, current, candidates, begin)
    } else {
      row.queue()
    }
  }

  async #findSame(row: UploadItem, file: File, rivals: readonly UploadItem[]): Promise<UploadItem | undefined> {
    for (const rival of rivals) {
      if (rival.file === null) continue
      // A rival that is no longer readable fails in its own row.
      const same = await sameBytes(rival.file, file, (share) => row.compared(share)).catch(() => false)
      // A rival may have been cancelled meanwhile.
      if (same && this.#queue.items.includes(rival)) return rival
    }
    return undefined
  }

  /** Tries to resume each upload in turn; if all belong to other files, starts a new one. */
  #resumeOrBegin(chosen: ChosenFile, fingerprint: string, alike: readonly UploadItem[], begin: () => void): void {
    const open = alike.filter((item) => item.lacksFile && item.url !== null && this.#queue.items.includes(item))
    const [first, ...others] = open
    if (first === undefined) begin()
    else first.lend(chosen.file, fingerprint, () => this.#resumeOrBegin(chosen, fingerprint, others, begin))
  }

  /** The bytes of new files that are not on the server yet. */
  #plannedBytes(): number {
    const planned = this.#queue.items.filter(
      ({ state, url }) => url === null && ['waiting', 'uploading', 'paused'].includes(state),
    )
    return planned.reduce((sum, { size }) => sum + size, 0)
  }
}

async function fingerprintOf(file: File, scope: string): Promise<string | null> {
  return fingerprintsOf(file, scope).then(
    ({ current }) => current,
    () => null,
  )
}
