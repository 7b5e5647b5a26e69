/** How much is hashed at a time where the browser does not do it, in bytes: in between, the page stays responsive. */
const STEP = 1024 * 1024

/** The SHA-256 of a blob that fits into memory. Throws what reading it throws. */
export async function sha256(blob: Blob): Promise<Uint8Array> {
  // Over plain HTTP only a page of this host has the browser's own.
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
