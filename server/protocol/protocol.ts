import type { IncomingHttpHeaders } from 'node:http'
import { mediaType } from '../http/header-values.ts'
import { DRAFT_PATCH_TYPE } from '../http/patch-types.ts'

/** The protocol of a request to `/files`; `undefined` if no header names one. */
export function protocolOf({ headers }: { readonly headers: IncomingHttpHeaders }): 'tus' | 'draft' | undefined {
  if (headers['tus-resumable']) return 'tus'
  const speaksDraft =
    headers['upload-draft-interop-version'] !== undefined ||
    headers['upload-complete'] !== undefined ||
    mediaType(headers) === DRAFT_PATCH_TYPE
  return speaksDraft ? 'draft' : undefined
}
