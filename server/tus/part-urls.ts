import { UploadError } from '../core/errors.ts'
import { isUploadId } from '../core/record.ts'

/**
 * The ids of the uploads that `Upload-Concat` names by relative or absolute URLs. Only the end of the path counts: a
 * proxy may serve this service under any host and prefix, and an id is unique.
 *
 * @throws UploadError `bad_request` if a URL is not that of an upload, or is repeated.
 */
export function idsOfParts(urls: readonly string[]): readonly string[] {
  const ids = urls.map(idOf)
  if (new Set(ids).size < ids.length) {
    throw new UploadError('bad_request', 'Upload-Concat names a part twice.')
  }
  return ids
}

function idOf(url: string): string {
  const { pathname } = URL.canParse(url, BASE) ? new URL(url, BASE) : { pathname: '' }
  const id = /\/files\/([^/]+)\/?$/.exec(pathname)?.[1] ?? ''
  if (!isUploadId(id)) throw new UploadError('bad_request', 'Upload-Concat must name the URLs of uploads.')
  return id
}

/** Parsing a relative URL requires some base. */
const BASE = 'http://relative/files/'
