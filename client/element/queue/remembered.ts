import type { PreviousUpload } from 'tus-js-client'
import { errorOf, isFinal, type ServerError } from '../service/problem.ts'
import type { Service } from '../service/service.ts'

/** An unfinished upload that tus-js-client has stored in this browser. */
export interface Remembered {
  readonly url: string
  readonly name: string
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** The key that identifies its file. */
  readonly fingerprint: string
}

/** The state of a remembered upload on the server: `whole` with every byte, `unknown` without a valid response. */
export type ServerState =
  | { readonly kind: 'unfinished'; readonly offset: number }
  | { readonly kind: 'whole' }
  | { readonly kind: 'refused'; readonly error: ServerError }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknown' }

/** Ends the fingerprints of one owner's uploads, so that the next user of the browser does not see them. */
export function scopeOf(endpoint: string, owner: string | null): string {
  return owner === null ? endpoint : `${endpoint}#${owner}`
}

/** The unfinished uploads of a scope in the storage, newest first, each URL once. */
export function findRemembered(endpoint: string, scope: string): Remembered[] {
  const byUrl = new Map<string, Remembered>()
  const entries = entriesOf().sort((a, b) => Date.parse(b.creationTime) - Date.parse(a.creationTime))
  for (const entry of entries) {
    const remembered = fromEntry(entry)
    // Uploads of other origins, and of other endpoints of this origin, belong to other pages.
    if (remembered === null || new URL(remembered.url).origin !== new URL(endpoint).origin) continue
    if (!remembered.fingerprint.endsWith(`-${scope}`)) continue
    if (!byUrl.has(remembered.url)) byUrl.set(remembered.url, remembered)
  }
  return [...byUrl.values()]
}

/** Whether the upload at `url` is still in the storage; another tab may have finished or cancelled it. */
export function isRemembered(url: string): boolean {
  return entryOf(url) !== undefined
}

/** The entry that tus-js-client stored for the upload at `url`. */
export function entryOf(url: string): PreviousUpload | undefined {
  return entriesOf().find((entry) => entry.uploadUrl === url)
}

/** Removes the upload at `url` from the storage, but not from the server. */
export function forget(url: string): void {
  for (const entry of entriesOf()) if (entry.uploadUrl === url) localStorage.removeItem(entry.urlStorageKey)
}

/** Asks the server for the state of the upload at `url`. Never throws. */
export async function fetchState(service: Service, url: string): Promise<ServerState> {
  try {
    const response = await service.fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
    if (response.status === 404 || response.status === 410) return { kind: 'gone' }
    const error = errorOf(response)
    if (isFinal(error)) return { kind: 'refused', error }
    const offset = numberIn(response.headers.get('Upload-Offset'))
    if (!response.ok || offset === null) return { kind: 'unknown' }
    return offset === numberIn(response.headers.get('Upload-Length'))
      ? { kind: 'whole' }
      : { kind: 'unfinished', offset }
  } catch {
    return { kind: 'unknown' }
  }
}

/** The entries of tus-js-client. A browser that blocks the storage has none. */
function entriesOf(): PreviousUpload[] {
  try {
    return Object.keys(localStorage)
      .filter((key) => key.startsWith('tus::'))
      .flatMap((key) => entryIn(key, localStorage.getItem(key) ?? ''))
  } catch {
    return []
  }
}

function entryIn(key: string, json: string): PreviousUpload[] {
  try {
    return [{ ...JSON.parse(json), urlStorageKey: key }]
  } catch {
    return []
  }
}

/** Entries of other pages, or of other versions of tus-js-client, may lack fields; those are ignored. */
function fromEntry(entry: PreviousUpload): Remembered | null {
  const fingerprint = /^tus::(.*)::\d+$/s.exec(entry.urlStorageKey)?.[1]
  const name = entry.metadata?.['filename']
  if (fingerprint === undefined || name === undefined || entry.size === null) return null
  if (typeof entry.uploadUrl !== 'string' || !URL.canParse(entry.uploadUrl)) return null
  return { url: entry.uploadUrl, name, path: entry.metadata['relativePath'] ?? '', size: entry.size, fingerprint }
}

function numberIn(header: string | null): number | null {
  return header !== null && /^\d+$/.test(header) ? Number(header) : null
}
