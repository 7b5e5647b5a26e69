import { defaultOptions, type PreviousUpload } from 'tus-js-client'

/** An unfinished upload that the browser remembers from an earlier visit. */
export interface Remembered {
  readonly url: string
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** The key by which its file is recognised. */
  readonly fingerprint: string
}

/** What the server says about a remembered upload. */
export type Standing =
  | { readonly kind: 'unfinished'; readonly offset: number }
  | { readonly kind: 'finished' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknown' }

const storage = defaultOptions.urlStorage

/** The unfinished uploads to `endpoint` that the storage knows, newest first, each URL once. */
export async function findRemembered(endpoint: string): Promise<Remembered[]> {
  const byUrl = new Map<string, Remembered>()
  const entries = await storage.findAllUploads()
  entries.sort((a, b) => Date.parse(b.creationTime) - Date.parse(a.creationTime))
  for (const entry of entries) {
    const remembered = fromEntry(entry)
    // Another origin's uploads can neither be asked about nor continued from here; those that another page of this origin has sent to
    // an endpoint of its own are its business, and no file chosen here would be found to belong to them.
    if (remembered === null || new URL(remembered.url).origin !== new URL(endpoint).origin) continue
    if (!remembered.fingerprint.endsWith(`-${endpoint}`)) continue
    if (!byUrl.has(remembered.url)) byUrl.set(remembered.url, remembered)
  }
  return [...byUrl.values()]
}

/** Whether the storage still knows the upload at `url`; another tab may have finished or cancelled it. */
export async function isRemembered(url: string): Promise<boolean> {
  return (await entryOf(url)) !== undefined
}

/** The entry that tus-js-client stored for the upload at `url`. */
export async function entryOf(url: string): Promise<PreviousUpload | undefined> {
  return (await storage.findAllUploads()).find((entry) => entry.uploadUrl === url)
}

/** Removes everything that the storage knows about the upload at `url`. The server keeps what it has. */
export async function forget(url: string): Promise<void> {
  for (const entry of await storage.findAllUploads()) {
    if (entry.uploadUrl === url) await storage.removeUpload(entry.urlStorageKey)
  }
}

/** Asks the server how far the upload at `url` is. Never throws: a server that does not answer is `unknown`. */
export async function askStanding(url: string): Promise<Standing> {
  try {
    const answer = await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' }, cache: 'no-store' })
    if (answer.status === 404 || answer.status === 410) return { kind: 'gone' }
    const offset = numberIn(answer.headers.get('Upload-Offset'))
    if (!answer.ok || offset === null) return { kind: 'unknown' }
    return offset === numberIn(answer.headers.get('Upload-Length'))
      ? { kind: 'finished' }
      : { kind: 'unfinished', offset }
  } catch {
    return { kind: 'unknown' }
  }
}

/** Entries of other versions of the library, or of other pages, may lack anything: those are left alone. */
function fromEntry(entry: PreviousUpload): Remembered | null {
  const fingerprint = /^tus::(.*)::\d+$/s.exec(entry.urlStorageKey)?.[1]
  const name = entry.metadata?.filename
  if (fingerprint === undefined || name === undefined || entry.size === null) return null
  if (typeof entry.uploadUrl !== 'string' || !URL.canParse(entry.uploadUrl)) return null
  return { url: entry.uploadUrl, name, size: entry.size, fingerprint }
}

function numberIn(header: string | null): number | null {
  return header !== null && /^\d+$/.test(header) ? Number(header) : null
}
