import { randomUUID } from 'node:crypto'
import type { UploadRecord } from './record.ts'
import { safeName } from './safe-name.ts'

/** What a client says of an upload that it wants to begin. */
export type Wish = Pick<UploadRecord, 'length' | 'metadata' | 'rawMetadata' | 'partial' | 'endAwaited' | 'wantedDigest'>

/** The record of a new upload, under an id that nobody can guess. */
export function newRecord(wish: Wish): UploadRecord {
  const { metadata } = wish
  return {
    ...wish,
    id: randomUUID().replaceAll('-', ''),
    fileName: safeName(metadata.filename ?? metadata.name),
    createdAt: new Date().toISOString(),
  }
}
