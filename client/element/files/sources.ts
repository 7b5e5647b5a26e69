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
      handle: handleOf(item),
      entry: item.webkitGetAsEntry?.() ?? null,
      file: item.getAsFile(),
    }))
}

async function handleOf(item: DataTransferItem): Promise<FileSystemHandle | null> {
  try {
    // Chromium returns undefined for what is not on the disk, such as a picture from the clipboard.
    return (await item.getAsFileSystemHandle?.()) ?? null
  } catch {
    return null
  }
}
