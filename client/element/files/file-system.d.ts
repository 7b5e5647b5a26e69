/** What Chromium has, and TypeScript does not know. */

interface FileSystemHandle {
  queryPermission?(options: { readonly mode: 'read' }): Promise<PermissionState>
  requestPermission?(options: { readonly mode: 'read' }): Promise<PermissionState>
}

interface DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemFileHandle | FileSystemDirectoryHandle | null | undefined>
}

interface Window {
  showOpenFilePicker?(options: {
    readonly multiple: boolean
    readonly types?: readonly { readonly accept: Readonly<Record<string, readonly string[]>> }[]
  }): Promise<FileSystemFileHandle[]>
  showDirectoryPicker?(options: { readonly mode: 'read' }): Promise<FileSystemDirectoryHandle>
}

interface Navigator {
  /** GiB of memory, rounded. */
  readonly deviceMemory?: number
}
