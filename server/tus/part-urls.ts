import { UploadError } from '../core/errors.ts'
import { isUploadId } from '../core/record.ts'

/**
 * The ids of the uploads that `Upload-Concat` names, by relative or absolute URLs. Only the last part of a path counts: under which
 * names a proxy shows this service is not known here, and an id tells one upload by itself.
 *
 * @throws UploadError `bad_request` when a URL is not one of an upload, or comes twice.
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

/** Only there so that relative URLs can be parsed. */
const BASE = 'http://relative/files/'
