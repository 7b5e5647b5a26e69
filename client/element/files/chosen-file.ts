/** A file that its user chose. */
export interface ChosenFile {
  readonly file: File
  /** Its path within a chosen folder, with the name of that, or nothing: `holiday/beach/1.jpg`. */
  readonly path: string
  /** Opens the file again after a reload, where browsers have that. */
  readonly handle: FileSystemFileHandle | null
}

/** A file without a folder and without a handle. */
export function plainFile(file: File): ChosenFile {
  return { file, path: file.webkitRelativePath, handle: null }
}
