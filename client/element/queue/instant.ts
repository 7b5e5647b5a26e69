import { sha256, toHex } from '../digest/sha256.ts'
import { samplesOf } from './fingerprint.ts'

/** Smaller files are sent about as fast as they are asked about, in bytes. */
const SMALLEST = 1024 * 1024

/** What an instant upload needs of its caller. */
export interface InstantOptions {
  /** A URL next to `instant`, such as that at which uploads are created. */
  readonly base: string
  /** The headers that authenticate a request. */
  readonly headers: () => Readonly<Record<string, string>>
  /** Metadata of the upload, as in Upload-Metadata. */
  readonly metadata: Readonly<Record<string, string>>
  /** Aborts it until the proof is sent. After that, the caller always receives the upload. */
  readonly signal?: AbortSignal
}

/** An upload that was finished without sending its bytes. */
export interface InstantUpload {
  /** Absolute. */
  readonly url: string
  /** Whether there is a file; else a scan is running, or a copy, and HEAD tells when it is over. */
  readonly finished: boolean
}

interface Question {
  readonly question: string
  readonly nonce: Uint8Array<ArrayBuffer>
  readonly ranges: readonly (readonly [start: number, end: number])[]
}

/**
 * Finishes an upload without sending it, if the service has the file already: see docs/instant.md. Reads at most about
 * 4 MiB of the file.
 *
 * Returns `undefined` for any reason why the file has to be sent. Throws only when the file cannot be read, or with the
 * reason of `signal`.
 */
export async function instantUpload(file: Blob, options: InstantOptions): Promise<InstantUpload | undefined> {
  if (file.size < SMALLEST) return undefined
  const fingerprint = toHex(await sha256(new Blob(samplesOf(file))))
  const question = questionIn(await post('instant', { size: file.size, fingerprint }, options))
  if (question === undefined) return undefined
  const pieces = question.ranges.map(([start, end]) => file.slice(start, end))
  const proof = toHex(await sha256(new Blob([question.nonce, ...pieces])))
  const claim = { question: question.question, proof, metadata: options.metadata }
  options.signal?.throwIfAborted()
  // Not aborted: the upload that it creates would be an orphan.
  const { signal: _, ...uninterrupted } = options
  return uploadIn(await post('instant/proof', claim, uninterrupted))
}

/** Returns the JSON of a success, otherwise `undefined`. */
async function post(path: string, body: unknown, { base, headers, signal }: InstantOptions): Promise<unknown> {
  try {
    const response = await fetch(new URL(path, base), {
      method: 'POST',
      headers: { ...headers(), 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      cache: 'no-store',
      ...(signal !== undefined && { signal }),
    })
    return response.ok ? await response.json() : undefined
  } catch {
    signal?.throwIfAborted()
    return undefined
  }
}

function questionIn(found: unknown): Question | undefined {
  if (!isObject(found)) return undefined
  const { question, nonce, ranges } = found
  if (typeof question !== 'string' || typeof nonce !== 'string' || !Array.isArray(ranges)) return undefined
  return ranges.every(isRange) ? { question, nonce: fromHex(nonce), ranges } : undefined
}

function uploadIn(found: unknown): InstantUpload | undefined {
  if (!isObject(found)) return undefined
  const { url, finished } = found
  return typeof url === 'string' ? { url: url, finished: finished === true } : undefined
}

function isObject(found: unknown): found is Readonly<Record<string, unknown>> {
  return typeof found === 'object' && found !== null
}

function isRange(found: unknown): found is readonly [number, number] {
  return Array.isArray(found) && found.length === 2 && found.every((place) => Number.isSafeInteger(place))
}

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
