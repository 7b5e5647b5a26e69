import { defaultOptions } from 'tus-js-client'
import { endpoint } from './settings.ts'
import { sha256, toHex } from './sha256.ts'

/** From how many places of a large file bytes are taken, the head and the tail among them, and how many from each. */
const SAMPLES = 8
const SAMPLE_SIZE = 16 * 1024

/** By what uploads of one file are found again. Equal fingerprints are a hint only: other bytes of the files may differ. */
export interface Fingerprints {
  /** Under which an upload is remembered. */
  readonly current: string
  /** Under which earlier versions of this page have remembered it. */
  readonly former: string
}

/** Throws a DOMException when the file cannot be read. */
export async function fingerprintsOf(file: File): Promise<Fingerprints> {
  const digest = toHex(await sha256(new Blob(samplesOf(file))))
  return {
    // Without the date: several file pickers of phones give the time of the choice.
    current: ['landfall', file.name, file.size, digest, endpoint].join('-'),
    former: await defaultOptions.fingerprint(file, { endpoint }),
  }
}

function samplesOf(file: File): Blob[] {
  if (file.size <= SAMPLES * SAMPLE_SIZE) return [file]
  const step = (file.size - SAMPLE_SIZE) / (SAMPLES - 1)
  return Array.from({ length: SAMPLES }, (_, i) => {
    const start = Math.round(i * step)
    return file.slice(start, start + SAMPLE_SIZE)
  })
}
