import path from 'node:path'
import type { RequestInfo } from '../core/current-request.ts'
import type { UploadFacts } from '../core/decisions.ts'
import type { HookName } from './hook-names.ts'

/** One call of a hook, as transports send it. */
export interface HookCall {
  readonly hook: HookName
  /** As in the payload: empty before the upload exists. */
  readonly id: string
  /** Bytes; 0 while it is unknown. */
  readonly size: number
  /** Bytes. */
  readonly offset: number
  /** The payload of tusd 2, as JSON. */
  readonly body: string
  /** The request that caused it, if there is one. By names in lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>
}

/** A call of `hook` about an upload, and the request that caused it. */
export function hookCall(hook: HookName, facts: UploadFacts, request: RequestInfo | undefined): HookCall {
  const upload = uploadOf(hook, facts)
  return {
    hook,
    id: upload.ID,
    size: upload.Size,
    offset: upload.Offset,
    body: JSON.stringify({ Type: hook, Event: { Upload: upload, HTTPRequest: requestOf(request) } }),
    headers: request?.headers ?? {},
  }
}

/** `FileInfo` of tusd (pkg/handler/datastore.go). An upload that does not exist yet has neither id nor storage. */
function uploadOf(hook: HookName, facts: UploadFacts) {
  const { record, offset } = facts
  const { id, length, metadata, partial, parts, failed } = record
  const isNew = hook === 'pre-create'
  return {
    ID: isNew ? '' : id,
    Size: length ?? 0,
    // A final upload of unfinished parts has no length that a client will declare, but none yet, either.
    SizeIsDeferred: length === null,
    Offset: offset,
    MetaData: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value ?? ''])),
    IsPartial: partial === true,
    IsFinal: parts !== undefined,
    PartialUploads: parts ?? null,
    Storage: isNew ? null : storageOf(facts),
    ...(failed !== undefined && { Failure: failed.code }),
  }
}

/** Pieces of an unfinished upload in a bucket are no file yet. */
function storageOf({ path: file, object }: UploadFacts) {
  if (object !== undefined) return { Type: 's3store', Bucket: object.bucket, Key: object.key }
  // Without `InfoPath`: receivers delete that file of tusd, and records must stay.
  return file === undefined ? null : { Type: 'filestore', Path: path.resolve(file) }
}

function requestOf(request: RequestInfo | undefined) {
  if (request === undefined) return { Method: '', URI: '', RemoteAddr: '', Header: {} }
  const { method, uri, remoteAddress, headers } = request
  return {
    Method: method,
    URI: uri,
    RemoteAddr: remoteAddress,
    Header: Object.fromEntries(Object.entries(headers).map(([name, values]) => [canonical(name), values])),
  }
}

/** The name of a header as Go writes it: `Upload-Length`. */
function canonical(name: string): string {
  return name.replaceAll(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
}
