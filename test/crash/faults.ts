import type { Fault, FaultProxy } from '../s3/fault-proxy.ts'
import { Random } from '../support/random.ts'

/** How many of the calls are disturbed. */
const DISTURBED = 0.05

const FAULTS: readonly Fault[] = [
  { kind: 'answer', status: 503, code: 'SlowDown' },
  { kind: 'answer', status: 503 },
  { kind: 'answer', status: 500, code: 'InternalError' },
  { kind: 'answerAfter', status: 500, code: 'InternalError' },
  { kind: 'answerAfter', status: 503 },
  { kind: 'delay', milliseconds: 300 },
  { kind: 'resetBefore' },
  { kind: 'resetAfter' },
]

/** Disturbs a share of all calls, in any way that their client may survive. @returns a function that ends it. */
export function disturbAtRandom(proxy: FaultProxy, seed: number): () => void {
  const random = new Random(seed)
  return proxy.disturb({
    fault: () => (random.chance(DISTURBED) ? random.shuffled(FAULTS)[0] : undefined),
  })
}
