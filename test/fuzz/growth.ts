/** By how much, in MiB, the memory of the last third may lie above that of the second: what V8 lets pass before it collects. */
const MARGIN = 48
/** From how many measurements on they say something. */
const ENOUGH = 12

/** Whether a program that has been at the same work all the time needs more and more memory. @param resident in MiB, in order. */
export function hasGrown(resident: readonly number[]): boolean {
  if (resident.length < ENOUGH) return false
  const third = Math.floor(resident.length / 3)
  return median(resident.slice(-third)) > median(resident.slice(third, 2 * third)) + MARGIN
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}
