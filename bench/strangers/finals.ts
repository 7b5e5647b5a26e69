import http from 'node:http'

const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })

/** Creates complete parts of one byte. @returns their URLs, relative to `/files/`. */
export async function makeParts(port: number, count: number): Promise<readonly string[]> {
  const parts: string[] = []
  while (parts.length < count) {
    const made = Array.from({ length: Math.min(16, count - parts.length) }, () => makePart(port))
    parts.push(...(await Promise.all(made)))
  }
  return parts
}

/** Creates a final upload. @returns the seconds that this took. */
export async function joinedIn(port: number, parts: readonly string[]): Promise<number> {
  const before = performance.now()
  await created(port, { 'Upload-Concat': `final;${parts.join(' ')}` }, '')
  return (performance.now() - before) / 1000
}

function makePart(port: number): Promise<string> {
  const type = 'application/offset+octet-stream'
  return created(port, { 'Upload-Concat': 'partial', 'Upload-Length': '1', 'Content-Type': type }, 'x')
}

/** @returns the URL of the upload, relative to `/files/`. */
function created(port: number, headers: Readonly<Record<string, string>>, body: string): Promise<string> {
  const all = { ...headers, 'Tus-Resumable': '1.0.0', 'Content-Length': body.length }
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', path: '/files', headers: all, agent })
    request.on('error', reject).on('response', (response) => {
      response.resume()
      if (response.statusCode !== 201) reject(new Error(`A creation received status ${response.statusCode}.`))
      else resolve((response.headers.location ?? '').split('/').at(-1) ?? '')
    })
    request.end(body)
  })
}
