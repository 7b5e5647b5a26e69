/** Bytes per step of the slow way: the page stays responsive in between. */
const STEP = 1024 * 1024

/** The SHA-256 of a part of a file that fits into memory, in base64. Rejects if it cannot be read. */
export async function sha256(blob: Blob): Promise<string> {
  // Browsers offer it in secure contexts only, which plain HTTP on a local network is not.
  const digest = crypto.subtle ? await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()) : await slowly(blob)
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
}

/** FIPS 180-4. */
async function slowly(blob: Blob): Promise<ArrayBuffer> {
  const constants = roundConstants()
  const state = new Uint32Array([
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  ])
  const padding = new Uint8Array(64 - ((blob.size + 8) % 64) + 8)
  padding[0] = 0x80
  new DataView(padding.buffer).setBigUint64(padding.length - 8, BigInt(blob.size) * 8n)
  const padded = new Blob([blob, padding])
  for (let start = 0; start < padded.size; start += STEP) {
    const bytes = new DataView(await padded.slice(start, start + STEP).arrayBuffer())
    for (let at = 0; at < bytes.byteLength; at += 64) compress(state, bytes, at, constants)
  }
  const digest = new DataView(new ArrayBuffer(32))
  for (const [i, word] of state.entries()) digest.setUint32(4 * i, word)
  return digest.buffer
}

/** The fractional parts of the cube roots of the first 64 primes. */
function roundConstants(): Uint32Array {
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return Uint32Array.from(primes, (prime) => (Math.cbrt(prime) % 1) * 2 ** 32)
}

const words = new Uint32Array(64)

function compress(state: Uint32Array, bytes: DataView, at: number, constants: Uint32Array): void {
  const word = (i: number): number => words[i] ?? 0
  for (let i = 0; i < 64; i++) {
    if (i < 16) words[i] = bytes.getUint32(at + 4 * i)
    else {
      const [early, late] = [word(i - 15), word(i - 2)]
      const first = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)
      words[i] = word(i - 16) + first + word(i - 7) + (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10))
    }
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const choice = (e & f) ^ (~e & g)
    const next = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + (constants[i] ?? 0) + word(i)) | 0
    const majority = (a & b) ^ (a & c) ^ (b & c)
    const sum = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority
    h = g
    g = f
    f = e
    e = (d + next) | 0
    d = c
    c = b
    b = a
    a = (next + sum) | 0
  }
  for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] ?? 0) + value
}

function turn(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits))
}
