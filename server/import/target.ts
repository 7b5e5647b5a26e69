import type { UploadRecord } from '../core/record.ts'
import type { DiskStore } from '../disk/disk-store.ts'
import { type ForeignBytes, isTaken } from '../disk/import-upload.ts'
import type { Layout } from '../disk/layout.ts'

/** Where an import brings uploads. */
export interface Target {
  /** Whether the id belongs to an upload, or did until it was removed. @throws like `add`. */
  isTaken(id: string): Promise<boolean>
  /** Makes an upload of another server one of this store: see `importUpload`. @throws the OS error, UploadError. */
  add(record: UploadRecord, bytes: ForeignBytes): Promise<void>
  close(): Promise<void>
}

/** @param store opened on the directory; without it, nothing can be added. */
export function diskTarget(layout: Layout, store: DiskStore | undefined): Target {
  return {
    isTaken: (id) => isTaken(layout, id),
    add: async (record, bytes) => store?.importUpload(record, bytes),
    close: async () => store?.close(),
  }
}
