/** Bytes per step without `crypto.subtle`; the page stays responsive in between. */
const STEP = 1024 * 1024

/** The SHA-256 of a blob that fits into memory. Throws a DOMException when it cannot be read. */
export async function sha256(blob: Blob): Promise<Uint8Array> {
  // `crypto.subtle` exists only in secure contexts, which plain HTTP on a local network is not.
  if (isSecureContext) return new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))
  const library = await import('@noble/hashes/sha2.js')
  const hash = library.sha256.create()
  for (let start = 0; start < blob.size; start += STEP) {
    hash.update(new Uint8Array(await blob.slice(start, start + STEP).arrayBuffer()))
  }
  return hash.digest()
}

/** A digest as hexadecimal text. */
export function toHex(digest: Uint8Array): string {
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** A digest as base64 text. */
export function toBase64(digest: Uint8Array): string {
  return btoa(String.fromCharCode(...digest))
}
