const KEY = 'landfall.webuploader'
const MAX_ENTRIES = 100

/** An unfinished upload that this browser has begun. */
export interface Remembered {
  /** The fingerprint of its file. */
  readonly key: string
  /** The value of `landfall_file`: random, so only this browser knows it. */
  readonly mark: string
  /** The `task_id` of its chunks, if the page has one. */
  readonly task?: string | undefined
  /** The id of the upload, if the service tells it to this visitor. */
  readonly id?: string | undefined
  /** Bytes. */
  readonly chunkSize: number
}

export function recall(key: string, chunkSize: number): Remembered | undefined {
  return read().find((entry) => entry.key === key && entry.chunkSize === chunkSize)
}

/** Stores an upload in place of an earlier one of the same file, and drops the oldest beyond 100. */
export function remember(entry: Remembered): void {
  write([entry, ...read().filter(({ key, mark }) => key !== entry.key && mark !== entry.mark)])
}

export function forget(mark: string): void {
  const entries = read()
  const others = entries.filter((entry) => entry.mark !== mark)
  if (others.length < entries.length) write(others)
}

function read(): Remembered[] {
  try {
    const entries: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(entries) ? entries.filter(isRemembered) : []
  } catch {
    return []
  }
}

function write(entries: readonly Remembered[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(entries.slice(0, MAX_ENTRIES)))
  } catch {
    // Without storage, files resume until the page is closed.
  }
}

function isRemembered(entry: Partial<Remembered> | null): entry is Remembered {
  return typeof entry?.key === 'string' && typeof entry.mark === 'string' && typeof entry.chunkSize === 'number'
}
