import { sha256 } from '@noble/hashes/sha2.js'

/** Bytes per step: memory stays flat, however large the file. */
const STEP = 4 * 1024 * 1024

/** Receives files, and answers each with its SHA-256, or null if it cannot be read. */
addEventListener('message', ({ data }: MessageEvent<unknown>) => {
  if (data instanceof Blob) void digestOf(data).then((digest) => postMessage(digest))
})

async function digestOf(file: Blob): Promise<Uint8Array | null> {
  try {
    const hash = sha256.create()
    for (let start = 0; start < file.size; start += STEP) {
      hash.update(new Uint8Array(await file.slice(start, start + STEP).arrayBuffer()))
    }
    return hash.digest()
  } catch {
    return null
  }
}
