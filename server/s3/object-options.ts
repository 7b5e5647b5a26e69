import type { UploadRecord } from '../core/record.ts'
import { contentHeaders } from '../download/content.ts'
import type { ObjectOptions } from './s3-port.ts'

/** How the file of an upload is described in the bucket: an attachment, for those who open it there. */
export function optionsOf({ id, metadata }: UploadRecord): ObjectOptions {
  const headers = contentHeaders(metadata, false)
  return {
    contentType: headers['Content-Type'],
    contentDisposition: headers['Content-Disposition'],
    metadata: { 'landfall-id': id },
  }
}
