import http from 'node:http'

const PIECE = Buffer.alloc(1024 * 1024, 7)

/** An answer's status and body. */
export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

/** One request; the body is `head`, then `length` bytes, then `tail`, never held in memory. @throws Error for a status ≥ 400. */
export function send(
  agent: http.Agent,
  url: URL,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: { readonly head?: string; readonly length: number; readonly tail?: string } = { length: 0 },
): Promise<Answer> {
  const head = Buffer.from(body.head ?? '')
  const tail = Buffer.from(body.tail ?? '')
  const length = head.length + body.length + tail.length
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      { agent, method, headers: { ...headers, 'Content-Length': length } },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
        })
        response.on('end', () => {
          const status = response.statusCode ?? 0
          if (status >= 400) reject(new Error(`${method} ${url.pathname}: ${status} ${text}`))
          else resolve({ status, headers: response.headers, text })
        })
      },
    )
    request.on('error', reject)
    request.write(head)
    let left = body.length
    const more = (): void => {
      while (left > 0) {
        const size = Math.min(left, PIECE.length)
        left -= size
        if (!request.write(PIECE.subarray(0, size))) {
          request.once('drain', more)
          return
        }
      }
      request.end(tail)
    }
    more()
  })
}

const TUS = { 'Tus-Resumable': '1.0.0' }

/** Uploads by tus: one creation, then PATCHes of `patchSize` bytes. */
export async function uploadByTus(base: string, size: number, patchSize: number): Promise<void> {
  const agent = new http.Agent({ keepAlive: true })
  const created = await send(agent, new URL('/files', base), 'POST', { ...TUS, 'Upload-Length': String(size) })
  const url = new URL(created.headers.location ?? '', base)
  for (let offset = 0; offset < size; offset += patchSize) {
    const headers = { ...TUS, 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' }
    await send(agent, url, 'PATCH', headers, { length: Math.min(patchSize, size - offset) })
  }
  agent.destroy()
}

const BOUNDARY = '----WebKitFormBoundaryAAvXK93tAuAgYQaK'

/** Uploads as WebUploader does, then asks for completion. @returns how long that last request took, in milliseconds. */
export async function uploadByWebUploader(
  base: string,
  size: number,
  chunkSize: number,
  threads: number,
): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: threads })
  const chunks = Math.ceil(size / chunkSize)
  const taskId = `wu_${Date.now()}_${Math.random()}`
  let next = 0
  const lane = async (): Promise<void> => {
    for (let chunk = next++; chunk < chunks; chunk = next++) {
      const fields = { task_id: taskId, id: 'WU_FILE_0', name: 'bench.bin', size, chunks, chunk }
      const parts = Object.entries(fields).map(
        ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
      )
      const file = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bench.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`
      await send(
        agent,
        new URL('/upload/accept', base),
        'POST',
        { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
        {
          head: parts.join('') + file,
          length: Math.min(chunkSize, size - chunk * chunkSize),
          tail: `\r\n--${BOUNDARY}--\r\n`,
        },
      )
    }
  }
  await Promise.all(Array.from({ length: threads }, lane))
  const before = performance.now()
  const query = new URLSearchParams({ task_id: taskId, filename: 'bench.bin' })
  await send(agent, new URL(`/upload/complete?${query}`, base), 'GET', {})
  agent.destroy()
  return performance.now() - before
}
