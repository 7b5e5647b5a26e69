import type { IncomingHttpHeaders } from 'node:http'
import { mediaType } from './header-values.ts'

/** Media type of a PATCH that goes on with an upload of the IETF draft. */
export const PARTIAL_UPLOAD = 'application/partial-upload'

/** In which protocol a request to `/files` speaks; `undefined` for one that speaks none, like that of a browser that downloads. */
export function protocolOf({ headers }: { readonly headers: IncomingHttpHeaders }): 'tus' | 'draft' | undefined {
  if (headers['tus-resumable']) return 'tus'
  const speaksDraft =
    headers['upload-draft-interop-version'] !== undefined ||
    headers['upload-complete'] !== undefined ||
    mediaType(headers) === PARTIAL_UPLOAD
  return speaksDraft ? 'draft' : undefined
}
