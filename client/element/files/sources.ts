/** A file or a folder that was chosen, dropped, or pasted. */
export interface Source {
  readonly handle: Promise<FileSystemHandle | null>
  readonly entry: FileSystemEntry | null
  readonly file: File | null
}

/** What was dropped or pasted. Call it within the event: its data are gone afterwards. */
export function sourcesIn(transfer: DataTransfer): readonly Source[] {
  return [...transfer.items]
    .filter((item) => item.kind === 'file')
    .map((item) => ({
      // Browsers without handles, and pages without a secure context, have entries.
      handle: item.getAsFileSystemHandle?.().catch(() => null) ?? Promise.resolve(null),
      entry: item.webkitGetAsEntry?.() ?? null,
      file: item.getAsFile(),
    }))
}
