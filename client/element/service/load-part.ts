import type { Presence } from './presence.ts'

/** Tries while the service is available, and the delay after each, in milliseconds. */
const DELAYS = [500, 1000, 2000]

/**
 * Loads a part of the element, which the service may be unable to deliver now: waits until it is back. Throws a
 * TypeError when the service is there, but the part is not.
 */
export async function loadPart<Part>(load: () => Promise<Part>, presence: Presence): Promise<Part> {
  for (const delay of DELAYS) {
    try {
      return await load()
    } catch {
      if (!(await presence.present())) await new Promise((resolve) => setTimeout(resolve, delay))
    }
  }
  return load()
}
