/** Where uploads are created; absolute, because tus-js-client resolves the server's relative locations against it. */
export const endpoint = new URL('files', location.href).href

/** The readiness probe of the service. */
export const readiness = new URL('readyz', location.href).href

/** What the service says about the visitor. */
export const sessionUrl = new URL('session', location.href).href

/** Bytes per request: everything at once, unless the page's address says otherwise (`?chunkSize=1048576`). */
export const chunkSize = chunkSizeFrom(new URLSearchParams(location.search))

/**
 * Delay before each retry while the service is available, in milliseconds. New bytes on the server restart the series.
 */
export const retryDelays: readonly number[] = [0, 1000, 3000, 5000, 10000, 20000]

/** The same for a deletion, which its user waits for. */
export const removalDelays: readonly number[] = [0, 1000]

/** Maximum delay that a response can ask for by `Retry-After`, in milliseconds. */
export const maxRetryDelay = 120_000

/** Maximum concurrent files; the others are queued. */
export const filesAtOnce = 3

function chunkSizeFrom(query: URLSearchParams): number {
  const bytes = Number(query.get('chunkSize'))
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : Number.POSITIVE_INFINITY
}
