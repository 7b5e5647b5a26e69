import { type ChosenFile, plainFile } from './chosen-file.ts'
import type { Source } from './sources.ts'

/** How many files are reported at once. */
const BATCH = 200

/** Receives the files that were found so far; they need not wait for the rest of a large folder. */
export type Found = (files: readonly ChosenFile[]) => Promise<void>

/**
 * Reads chosen, dropped, or pasted files and folders. Files that cannot be read are left out.
 *
 * @returns whether a folder was among them.
 */
export async function readSources(sources: readonly Source[], found: Found): Promise<boolean> {
  const batch = new Batch(found)
  let hasFolder = false
  for (const source of sources) {
    const handle = await source.handle
    const isFolder = handle === null ? source.entry?.isDirectory === true : handle.kind === 'directory'
    hasFolder ||= isFolder
    if (handle !== null && isFolder && isDirectory(handle)) await walkHandle(handle, handle.name, batch)
    else if (isFolder && source.entry !== null) await walkEntry(source.entry, batch)
    else if (source.file !== null) {
      await batch.add({ ...plainFile(source.file), handle: handle !== null && isFile(handle) ? handle : null })
    }
  }
  await batch.flush()
  return hasFolder
}

async function walkHandle(directory: FileSystemDirectoryHandle, path: string, batch: Batch): Promise<void> {
  try {
    for await (const handle of directory.values()) {
      const place = `${path}/${handle.name}`
      if (isDirectory(handle)) await walkHandle(handle, place, batch)
      else if (isFile(handle)) {
        const file = await handle.getFile().catch(() => null)
        if (file !== null) await batch.add({ file, path: place, handle })
      }
    }
  } catch {
    // The folder is gone, or may not be read; what was found before is kept.
  }
}

async function walkEntry(entry: FileSystemEntry, batch: Batch): Promise<void> {
  if (isFileEntry(entry)) {
    const file = await new Promise<File | null>((resolve) => entry.file(resolve, () => resolve(null)))
    if (file !== null) await batch.add({ file, path: entry.fullPath.replace(/^\//, ''), handle: null })
    return
  }
  if (!isDirectoryEntry(entry)) return
  const reader = entry.createReader()
  for (;;) {
    // Each call returns some of the entries, the last one none.
    const entries = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])))
    if (entries.length === 0) return
    for (const child of entries) await walkEntry(child, batch)
  }
}

/** Collects files, and passes many at once. */
class Batch {
  readonly #found: Found
  #files: ChosenFile[] = []

  constructor(found: Found) {
    this.#found = found
  }

  async add(file: ChosenFile): Promise<void> {
    this.#files.push(file)
    if (this.#files.length >= BATCH) await this.flush()
  }

  async flush(): Promise<void> {
    const files = this.#files
    this.#files = []
    if (files.length > 0) await this.#found(files)
  }
}

const isFile = (handle: FileSystemHandle): handle is FileSystemFileHandle => handle.kind === 'file'
const isDirectory = (handle: FileSystemHandle): handle is FileSystemDirectoryHandle => handle.kind === 'directory'
const isFileEntry = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile
const isDirectoryEntry = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory
