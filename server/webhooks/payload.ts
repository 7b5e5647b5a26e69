import path from 'node:path'
import type { UploadEvent } from '../core/events.ts'
import { type Metadata, nameOf } from '../core/record.ts'

/** Maximum bytes of the metadata in a payload, as JSON: a payload has less than 20,000. */
const MAX_METADATA = 14_000
/** Maximum characters of a name. */
const MAX_NAME = 255

/**
 * The body of a webhook. Metadata that has no room is left out, which `metadata_truncated` says.
 *
 * @param dataDir an absolute path. @param key that of the file, if it is in a bucket.
 */
export function payloadOf(
  { type, at, upload: { record, offset, path: file } }: UploadEvent,
  dataDir: string,
  key?: string,
): unknown {
  const { kept, isCut } = fitting(record.metadata)
  const { failed } = record
  return {
    type: `upload.${type}`,
    timestamp: at.toISOString(),
    data: {
      id: record.id,
      name: (nameOf(record.metadata) || record.fileName).slice(0, MAX_NAME),
      size: record.length,
      offset,
      metadata: kept,
      ...(isCut && { metadata_truncated: true }),
      ...(record.owner !== undefined && { owner: record.owner }),
      ...(record.digests !== undefined && { digests: record.digests }),
      ...(type === 'finished' && file !== undefined && { path: path.relative(dataDir, file) }),
      ...(type === 'finished' && key !== undefined && { key }),
      ...(failed !== undefined && { failure: { code: failed.code, message: failed.message.slice(0, MAX_NAME) } }),
      created_at: record.createdAt,
    },
  }
}

function fitting(metadata: Metadata): { readonly kept: Metadata; readonly isCut: boolean } {
  let left = MAX_METADATA
  const entries = Object.entries(metadata)
  const kept = entries.filter((entry) => {
    const bytes = Buffer.byteLength(JSON.stringify(entry))
    if (bytes > left) return false
    left -= bytes
    return true
  })
  return { kept: Object.fromEntries(kept), isCut: kept.length < entries.length }
}
