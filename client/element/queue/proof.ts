import { sha256, toBase64 } from '../digest/sha256.ts'
import { errorOf, TEMPORARY } from '../service/problem.ts'
import type { Service } from '../service/service.ts'

/** Bytes per comparison. The server accepts up to 16 MiB. */
const BLOCK = 8 * 1024 * 1024

/** The server has bytes of another file; nothing may be appended to them. */
export class OtherBytes extends Error {}

/**
 * Tracks how many leading bytes of an upload are known to equal the file. Only a proved upload is resumed: a
 * fingerprint only samples the file, and another tab may have appended to the same upload.
 */
export class Proof {
  readonly #file: Blob
  readonly #service: Service
  #url: string | null = null
  /** The bytes before this position are proved. */
  #end = 0

  constructor(file: Blob, service: Service) {
    this.#file = file
    this.#service = service
  }

  get end(): number {
    return this.#end
  }

  /** Records that the server accepted the bytes of the file up to `end`, after proved ones. */
  sent(url: string, end: number): void {
    this.#url = url
    this.#end = end
  }

  /**
   * Compares the server's bytes up to `offset`; calls `compared` with the share done, from 0 to 1. Throws OtherBytes if
   * they differ or the server has no digest of them; a ServerError or a TypeError for a temporary failure; a
   * DOMException if the file cannot be read or `signal` aborts.
   */
  async extend(url: string, offset: number, signal: AbortSignal, compared: (share: number) => void): Promise<void> {
    if (url !== this.#url) this.sent(url, 0)
    // After a power cut the server may have fewer bytes, and another client may have appended its own.
    const first = Math.min(this.#end, offset)
    this.#end = first
    while (this.#end < offset) {
      compared((this.#end - first) / (offset - first))
      const end = Math.min(offset, this.#end + BLOCK)
      const [theirs, own] = await Promise.all([
        askDigest(this.#service, url, this.#end, end, signal),
        sha256(this.#file.slice(this.#end, end)),
      ])
      signal.throwIfAborted()
      if (theirs !== `sha-256=:${toBase64(own)}:`) throw new OtherBytes()
      this.#end = end
    }
  }
}

/**
 * The server's digest of a range, or null if it has none. Throws a ServerError or a TypeError for a temporary failure,
 * or without permission.
 */
async function askDigest(
  service: Service,
  url: string,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<string | null> {
  const response = await service.fetch(`${url}/digest?start=${start}&end=${end}`, { signal })
  const body = await response.text()
  const { status } = response
  // The service keeps what a finished file contains from clients that may not read it.
  if (response.headers.get('Upload-Error') === 'forbidden') return null
  if (status >= 500 || status === 403 || TEMPORARY.has(status)) throw errorOf(response, body)
  return response.ok ? digestIn(body) : null
}

function digestIn(json: string): string | null {
  try {
    const { digest }: { digest?: unknown } = JSON.parse(json)
    return typeof digest === 'string' ? digest : null
  } catch {
    return null
  }
}
