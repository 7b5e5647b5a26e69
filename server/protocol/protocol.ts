import type { IncomingHttpHeaders } from 'node:http'
import { mediaType } from '../http/header-values.ts'

/** Media type of a PATCH in the IETF draft. */
export const PARTIAL_UPLOAD = 'application/partial-upload'
/** Media type of a PATCH in tus. */
export const PATCH_TYPE = 'application/offset+octet-stream'
/** The accepted media types of a PATCH (RFC 5789 §3.1). */
export const ACCEPT_PATCH = `${PARTIAL_UPLOAD}, ${PATCH_TYPE}`

/** The protocol of a request to `/files`; `undefined` if no header states one. */
export function protocolOf({ headers }: { readonly headers: IncomingHttpHeaders }): 'tus' | 'draft' | undefined {
  if (headers['tus-resumable']) return 'tus'
  const speaksDraft =
    headers['upload-draft-interop-version'] !== undefined ||
    headers['upload-complete'] !== undefined ||
    mediaType(headers) === PARTIAL_UPLOAD
  return speaksDraft ? 'draft' : undefined
}
