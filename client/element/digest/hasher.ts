import { sha256 } from './sha256.ts'

/** Files up to this size are hashed at once, without a worker; bytes. */
const SMALL = 16 * 1024 * 1024

/** Computes digests of files: of large ones in a worker, one after the other, which starts with the first one. */
export class Hasher {
  readonly #left: AbortSignal
  #worker: Worker | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(left: AbortSignal) {
    this.#left = left
    left.addEventListener('abort', () => this.#worker?.terminate())
  }

  /** The SHA-256 of a file; null if it cannot be read, the device is too small, or workers are not allowed. */
  digestOf(file: File): Promise<Uint8Array | null> {
    if (isSmallDevice() || this.#left.aborted) return Promise.resolve(null)
    if (file.size <= SMALL) return sha256(file).catch(() => null)
    const digest = this.#last.then(() => this.#ask(file))
    this.#last = digest
    return digest
  }

  #ask(file: File): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      try {
        this.#worker ??= new Worker(new URL('./hash-worker.ts', import.meta.url), { type: 'module' })
        this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data instanceof Uint8Array ? data : null)
        this.#worker.onerror = () => resolve(null)
        this.#left.addEventListener('abort', () => resolve(null), { once: true })
        this.#worker.postMessage(file)
      } catch {
        // The script is from another origin.
        resolve(null)
      }
    })
  }
}

/** A device that has enough to do with sending. */
function isSmallDevice(): boolean {
  return (navigator.hardwareConcurrency ?? 2) < 2 || (navigator.deviceMemory ?? 4) < 2
}
