import { execFile } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** A site whose pages use the service across origins. */
export interface ClientSite {
  /** `http://127.0.0.1:port` */
  readonly origin: string
  close(): void
}

/** Starts the site: its page has the clients of `pages/clients.ts`, and `/content` is what they upload. */
export async function startClientSite(content: Buffer): Promise<ClientSite> {
  const script = await bundle()
  const site = http.createServer((request, response) => {
    if (request.url === '/content') return response.end(content)
    response.setHeader('Content-Type', request.url === '/clients.js' ? 'text/javascript' : 'text/html')
    response.end(request.url === '/clients.js' ? script : '<!doctype html><script src="/clients.js"></script>')
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  const address = site.address()
  if (address === null || typeof address === 'string') throw new Error('The site does not listen.')
  return { origin: `http://127.0.0.1:${address.port}`, close: () => site.close() }
}

async function bundle(): Promise<string> {
  const bundler = fileURLToPath(new URL('./pages/bundle.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [bundler], {
    env: { PATH: process.env['PATH'] ?? '' },
    maxBuffer: 16 * 1024 * 1024,
  })
  return stdout
}
