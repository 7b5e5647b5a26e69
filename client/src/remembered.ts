import { defaultOptions, type PreviousUpload } from 'tus-js-client'
import { errorOf, isFinal, type ServerError } from './problem.ts'
import { credentials } from './session.ts'
import { endpoint } from './settings.ts'

/** An unfinished upload that the browser remembers from an earlier visit. */
export interface Remembered {
  readonly url: string
  readonly name: string
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

const storage = defaultOptions.urlStorage

/** Ends the fingerprints of one owner's uploads, so that the next user of the browser does not see them. */
export function scopeOf(owner: string | null): string {
  return owner === null ? endpoint : `${endpoint}#${owner}`
}

/** The unfinished uploads of a scope in the storage, newest first, each URL once. */
export async function findRemembered(scope: string): Promise<Remembered[]> {
  const byUrl = new Map<string, Remembered>()
  const entries = await storage.findAllUploads()
  entries.sort((a, b) => Date.parse(b.creationTime) - Date.parse(a.creationTime))
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
export async function isRemembered(url: string): Promise<boolean> {
  return (await entryOf(url)) !== undefined
}

/** The entry that tus-js-client stored for the upload at `url`. */
export async function entryOf(url: string): Promise<PreviousUpload | undefined> {
  return (await storage.findAllUploads()).find((entry) => entry.uploadUrl === url)
}

/** Removes the upload at `url` from the storage, but not from the server. */
export async function forget(url: string): Promise<void> {
  for (const entry of await storage.findAllUploads()) {
    if (entry.uploadUrl === url) await storage.removeUpload(entry.urlStorageKey)
  }
}

/** Asks the server for the state of the upload at `url`. Never throws. */
export async function fetchState(url: string): Promise<ServerState> {
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      headers: { ...credentials(), 'Tus-Resumable': '1.0.0' },
      cache: 'no-store',
    })
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

/** Entries of other pages, or of other versions of tus-js-client, may lack fields; those are ignored. */
function fromEntry(entry: PreviousUpload): Remembered | null {
  const fingerprint = /^tus::(.*)::\d+$/s.exec(entry.urlStorageKey)?.[1]
  const name = entry.metadata?.['filename']
  if (fingerprint === undefined || name === undefined || entry.size === null) return null
  if (typeof entry.uploadUrl !== 'string' || !URL.canParse(entry.uploadUrl)) return null
  return { url: entry.uploadUrl, name, size: entry.size, fingerprint }
}

function numberIn(header: string | null): number | null {
  return header !== null && /^\d+$/.test(header) ? Number(header) : null
}
