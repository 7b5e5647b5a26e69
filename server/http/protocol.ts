import type { IncomingHttpHeaders } from 'node:http'
import { mediaType } from './header-values.ts'

/** Media type of a PATCH that continues an upload of the IETF draft. */
export const PARTIAL_UPLOAD = 'application/partial-upload'
/** Media type of a PATCH of tus. */
export const PATCH_TYPE = 'application/offset+octet-stream'
/** RFC 5789 §3.1: which types a PATCH may have. */
export const ACCEPT_PATCH = `${PARTIAL_UPLOAD}, ${PATCH_TYPE}`

/** Which protocol a request to `/files` speaks; `undefined` if nothing in it says so. */
export function protocolOf({ headers }: { readonly headers: IncomingHttpHeaders }): 'tus' | 'draft' | undefined {
  if (headers['tus-resumable']) return 'tus'
  const speaksDraft =
    headers['upload-draft-interop-version'] !== undefined ||
    headers['upload-complete'] !== undefined ||
    mediaType(headers) === PARTIAL_UPLOAD
  return speaksDraft ? 'draft' : undefined
}
