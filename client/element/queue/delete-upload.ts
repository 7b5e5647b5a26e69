import { errorOf } from '../service/problem.ts'
import type { Service } from '../service/service.ts'
import { REMOVAL_DELAYS } from './options.ts'
import { forget } from './remembered.ts'

const GONE = new Set([404, 410])

/**
 * Deletes an upload, finished or not, from the server, and forgets it. Throws a ServerError when the server refuses, a
 * TypeError when it cannot be reached.
 *
 * @param keepalive whether the request must outlive the page; it is sent once then.
 */
export async function deleteUpload(service: Service, url: string, keepalive = false): Promise<void> {
  const delays = keepalive ? [] : REMOVAL_DELAYS
  for (const delay of [...delays, null]) {
    const response = await request(service, url, keepalive).catch((error: unknown) => {
      if (delay === null) throw error
      return null
    })
    const status = response?.status ?? 0
    // It may be deleted already.
    if (response?.ok || GONE.has(status)) return forget(url)
    if (response !== null && (delay === null || (status < 500 && status !== 423))) throw errorOf(response)
    await new Promise((resolve) => setTimeout(resolve, delay ?? 0))
  }
}

function request(service: Service, url: string, keepalive: boolean): Promise<Response> {
  return service.fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' }, keepalive })
}
