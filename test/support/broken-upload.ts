import { Upload } from 'tus-js-client'
import { bytesOf } from './bytes.ts'
import { startFaultyProxy } from './faulty-proxy.ts'

const RETRIES = Array.from({ length: 60 }, (_, i) => Math.min(i * 5, 50))

/** The file that `uploadOverBrokenConnections` uploads. */
export const UPLOADED = bytesOf(3_000_001)

/**
 * Uploads a file with tus-js-client over connections that break at random places.
 *
 * @param server `http://127.0.0.1:port`.
 * @param path of the endpoint that creates uploads.
 * @returns the path of the upload, and how often the client had to resume it.
 * @throws the error of the client.
 */
export async function uploadOverBrokenConnections(
  server: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly path: string; readonly resumed: number }> {
  const proxy = await startFaultyProxy(server, 1, 4, 1_500_000)
  let resumed = 0
  try {
    return await new Promise((resolve, reject) => {
      const upload: Upload = new Upload(UPLOADED, {
        endpoint: proxy.url + path,
        retryDelays: RETRIES,
        metadata: { filename: 'a.bin' },
        headers: { ...headers },
        onBeforeRequest: (request) => {
          if (request.getMethod() === 'HEAD') resumed += 1
        },
        onSuccess: () => resolve({ path: new URL(upload.url ?? '').pathname, resumed }),
        onError: reject,
      })
      upload.start()
    })
  } finally {
    await proxy.close()
  }
}
