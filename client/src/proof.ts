import { PASSING, ServerAnswer } from './problem.ts'
import { sha256, toBase64 } from './sha256.ts'

/** How many bytes are compared at a time. The server answers for at most 16 MiB. */
const BLOCK = 8 * 1024 * 1024

/** The server has other bytes than the file: nothing may be sent behind them. */
export class OtherBytes extends Error {}

/**
 * How much of what the server has of an upload is known to be the same in the file. Only that is resumed: a fingerprint does not
 * see every byte, and another tab may have sent to the same upload.
 */
export class Proof {
  readonly #file: Blob
  #url: string | null = null
  /** Up to which byte the two are known to be the same. */
  #end = 0

  constructor(file: Blob) {
    this.#file = file
  }

  get end(): number {
    return this.#end
  }

  /** The server has taken the bytes of the file up to `end`, behind others that are proved. */
  sent(url: string, end: number): void {
    this.#url = url
    this.#end = end
  }

  /**
   * Compares what the server has up to `offset` with the file, as far as that was not done before. `compared` is called with the
   * share, from 0 to 1, that was found equal. Throws OtherBytes when they differ or the server cannot say; a ServerAnswer or a TypeError when it
   * cannot say at the moment; a DOMException when the file cannot be read, or `signal` ends it.
   */
  async extend(url: string, offset: number, signal: AbortSignal, compared: (share: number) => void): Promise<void> {
    if (url !== this.#url) this.sent(url, 0)
    // After a power cut the server may have less than before, and get other bytes from elsewhere.
    const first = Math.min(this.#end, offset)
    this.#end = first
    while (this.#end < offset) {
      compared((this.#end - first) / (offset - first))
      const end = Math.min(offset, this.#end + BLOCK)
      const [theirs, own] = await Promise.all([
        askDigest(url, this.#end, end, signal),
        sha256(this.#file.slice(this.#end, end)),
      ])
      signal.throwIfAborted()
      if (theirs !== `sha-256=:${toBase64(own)}:`) throw new OtherBytes()
      this.#end = end
    }
  }
}

/** The server's digest of a range, or null when it has none. Throws a ServerAnswer when it cannot say now, a TypeError without an answer. */
async function askDigest(url: string, start: number, end: number, signal: AbortSignal): Promise<string | null> {
  const answer = await fetch(`${url}/digest?start=${start}&end=${end}`, { cache: 'no-store', signal })
  const body = await answer.text()
  if (answer.status >= 500 || PASSING.has(answer.status)) throw new ServerAnswer(answer.status, body)
  return answer.ok ? digestIn(body) : null
}

function digestIn(json: string): string | null {
  try {
    const { digest }: { digest?: unknown } = JSON.parse(json)
    return typeof digest === 'string' ? digest : null
  } catch {
    return null
  }
}
