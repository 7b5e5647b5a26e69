import { NoAnswer } from './client.ts'
import { Over } from './model.ts'

/** Waits for all, then throws the most serious error: a Violation, else a NoAnswer, else an Over. */
export async function all(works: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  const worst =
    failures.find((error) => !(error instanceof NoAnswer || error instanceof Over)) ??
    failures.find((error) => error instanceof NoAnswer) ??
    failures[0]
  if (worst !== undefined) throw worst
}
