// The uploader, once for the page: uploads continue while React mounts and unmounts components.
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'

/** The service: VITE_LANDFALL=https://uploads.example.com npm run build */
const service = import.meta.env.VITE_LANDFALL ?? 'http://127.0.0.1:1080'

export const uppy = new Uppy({ autoProceed: true }).use(Tus, {
  endpoint: `${service}/files`,
  // What nginx accepts by default. Without a proxy, leave it out: one request is faster.
  chunkSize: 1024 * 1024,
  // Long enough for a restart of the service. The delays begin again after each chunk.
  retryDelays: [500, 1000, 2000, 5000, 10_000, 20_000],
})
