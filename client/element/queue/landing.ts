import { delayFor } from '../service/delay.ts'
import { errorOf, isFinal } from '../service/problem.ts'
import type { Service } from '../service/service.ts'

/** Delays between two questions, in milliseconds; the last one repeats. */
const DELAYS = [500, 1000, 2000, 4000, 8000]

/**
 * Waits until a file is finished whose bytes the server has all: until a scan, if there is one, has passed. Calls
 * `waiting` when it is not finished yet. Throws a ServerError, also when the file is rejected; a TypeError without a
 * response; a DOMException if `signal` aborts.
 *
 * @param wantsDigest whether to ask for the digest of the file.
 * @returns the digest in the syntax of RFC 9530, or null if the server does not have it.
 */
export async function untilFinished(
  service: Service,
  url: string,
  signal: AbortSignal,
  waiting: () => void,
  wantsDigest = false,
): Promise<string | null> {
  const headers: Record<string, string> = wantsDigest ? { 'Want-Repr-Digest': 'sha-256=1' } : {}
  for (let asked = 0; ; asked += 1) {
    // Without a header of tus, HEAD describes the file instead of the upload.
    const response = await service.fetch(url, { method: 'HEAD', headers, signal })
    // A visitor who may not read files cannot learn more.
    if (response.status === 200 || response.status === 403) return response.headers.get('Repr-Digest')
    const error = errorOf(response)
    // The code comes first: a HEAD has the status 423 both for a file in progress and for a rejected one.
    if (isFinal(error) || !(response.ok || error.code === 'scanning' || response.status === 423)) throw error
    waiting()
    await delayFor(DELAYS[Math.min(asked, DELAYS.length - 1)] ?? 0, signal)
    signal.throwIfAborted()
  }
}
