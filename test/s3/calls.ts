import type { IncomingMessage } from 'node:http'

/** The calls of S3 that a proxy tells apart. */
export type CallKind =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CopyObject'
  | 'CreateMultipartUpload'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'GetBucketLifecycleConfiguration'
  | 'GetBucketVersioning'
  | 'GetObject'
  | 'HeadObject'
  | 'ListObjectsV2'
  | 'ListParts'
  | 'PutObject'
  | 'UploadPart'
  | 'UploadPartCopy'
  | 'other'

/** A call: its kind, and the decoded key, which is empty for a call of the bucket. */
export interface Call {
  readonly kind: CallKind
  readonly key: string
}

/** The call of a request with the bucket in its path. */
export function callOf({ method = '', url = '', headers }: IncomingMessage): Call {
  const { pathname, searchParams } = new URL(url, 'http://s3')
  const [, , ...key] = pathname.split('/').map(decodeURIComponent)
  return { kind: kindOf(method, key.join('/'), searchParams, headers), key: key.join('/') }
}

function kindOf(
  method: string,
  key: string,
  query: URLSearchParams,
  headers: Readonly<Record<string, unknown>>,
): CallKind {
  const isCopy = headers['x-amz-copy-source'] !== undefined
  if (key === '') {
    if (method === 'POST' && query.has('delete')) return 'DeleteObjects'
    if (method !== 'GET') return 'other'
    if (query.has('versioning')) return 'GetBucketVersioning'
    if (query.has('lifecycle')) return 'GetBucketLifecycleConfiguration'
    return query.get('list-type') === '2' ? 'ListObjectsV2' : 'other'
  }
  if (query.has('uploadId')) {
    if (method === 'PUT') return isCopy ? 'UploadPartCopy' : 'UploadPart'
    if (method === 'POST') return 'CompleteMultipartUpload'
    return method === 'DELETE' ? 'AbortMultipartUpload' : 'ListParts'
  }
  if (method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : 'other'
  if (method === 'PUT') return isCopy ? 'CopyObject' : 'PutObject'
  if (method === 'GET') return 'GetObject'
  if (method === 'HEAD') return 'HeadObject'
  return method === 'DELETE' ? 'DeleteObject' : 'other'
}
