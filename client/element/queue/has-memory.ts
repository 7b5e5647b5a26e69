/** The database of rows, in IndexedDB. */
export const DATABASE = 'landfall'

/** Whether this browser may remember rows or uploads of an earlier visit. Never throws. */
export async function hasMemory(): Promise<boolean> {
  try {
    if (Object.keys(localStorage).some((key) => key.startsWith('tus::'))) return true
    return (await indexedDB.databases()).some(({ name }) => name === DATABASE)
  } catch {
    // A browser that blocks its storage remembers nothing.
    return false
  }
}
