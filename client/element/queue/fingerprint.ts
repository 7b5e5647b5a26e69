import { sha256, toHex } from '../digest/sha256.ts'

/** Samples of a large file, head and tail included, and the bytes of each. */
const SAMPLES = 8
const SAMPLE_SIZE = 16 * 1024

/** Keys for finding earlier uploads of a file. Equal fingerprints are only a hint: unsampled bytes may differ. */
export interface Fingerprints {
  /** The key of new uploads. */
  readonly current: string
  /** The key that earlier versions of this page used. */
  readonly former: string
}

/** `scope` keeps apart whose uploads these are. Throws a DOMException when the file cannot be read. */
export async function fingerprintsOf(file: File, scope: string): Promise<Fingerprints> {
  const digest = toHex(await sha256(new Blob(samplesOf(file))))
  return {
    // Without the date: some file pickers report the time of choosing.
    current: ['landfall', file.name, file.size, digest, scope].join('-'),
    former: ['tus-br', file.name, file.type, file.size, file.lastModified, scope].join('-'),
  }
}

/** The parts of a file that its fingerprint is made of. The service takes the same ones. */
export function samplesOf(file: Blob): Blob[] {
  if (file.size <= SAMPLES * SAMPLE_SIZE) return [file]
  const step = (file.size - SAMPLE_SIZE) / (SAMPLES - 1)
  return Array.from({ length: SAMPLES }, (_, i) => {
    const start = Math.round(i * step)
    return file.slice(start, start + SAMPLE_SIZE)
  })
}
