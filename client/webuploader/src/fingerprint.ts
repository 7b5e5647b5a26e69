import { sha256 } from './sha256.ts'

/** Samples of a large file, head and tail included, and the bytes of each. */
const SAMPLES = 8
const SAMPLE_SIZE = 16 * 1024

/**
 * A key for finding the earlier upload of a file, equally fast for any size. Equal keys are only a hint: unsampled bytes
 * may differ. Rejects if the file cannot be read.
 */
export async function fingerprint(name: string, file: Blob, endpoint: string): Promise<string> {
  return JSON.stringify([endpoint, name, file.size, await sha256(new Blob(samplesOf(file)))])
}

function samplesOf(file: Blob): Blob[] {
  if (file.size <= SAMPLES * SAMPLE_SIZE) return [file]
  const step = (file.size - SAMPLE_SIZE) / (SAMPLES - 1)
  return Array.from({ length: SAMPLES }, (_, i) => {
    const start = Math.round(i * step)
    return file.slice(start, start + SAMPLE_SIZE)
  })
}
