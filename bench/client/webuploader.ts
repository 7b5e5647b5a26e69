import { Connection } from './connection.ts'

const BOUNDARY = '----WebKitFormBoundaryq7Bn2LxW0sYkTz4e'

/**
 * Uploads as WebUploader does: chunks in order over `threads` connections, then /upload/complete.
 *
 * @returns the response time of /upload/complete in milliseconds.
 * @throws Error when a request is refused.
 */
export async function uploadByWebUploader(
  port: number,
  size: number,
  chunkSize: number,
  threads: number,
  taskId = 'wu_1k84bench0f2a41krp1sa2ofak9',
): Promise<number> {
  const chunks = Math.ceil(size / chunkSize)
  let begun = 0
  const lane = async (): Promise<void> => {
    const connection = new Connection(port)
    while (begun < chunks) {
      const chunk = begun++
      const offset = chunk * chunkSize
      await connection.request({
        method: 'POST',
        path: '/upload/accept',
        headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
        body: {
          before: partsBeforeBytes({ task_id: taskId, id: 'WU_FILE_0', name: FILE_NAME, size, chunks, chunk }),
          offset,
          length: Math.min(chunkSize, size - offset),
          after: `\r\n--${BOUNDARY}--\r\n`,
        },
      })
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: threads }, lane))
  return complete(port, taskId)
}

const FILE_NAME = 'bench.bin'

async function complete(port: number, taskId: string): Promise<number> {
  const connection = new Connection(port)
  const before = performance.now()
  const query = new URLSearchParams({ task_id: taskId, filename: FILE_NAME })
  await connection.request({ method: 'GET', path: `/upload/complete?${query}` })
  const took = performance.now() - before
  connection.close()
  return took
}

function partsBeforeBytes(fields: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(fields).map(([name, value]) => `${partHead(`name="${name}"`)}\r\n${value}\r\n`)
  const file = partHead(`name="file"; filename="${FILE_NAME}"`)
  return `${parts.join('')}${file}Content-Type: application/octet-stream\r\n\r\n`
}

function partHead(parameters: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${parameters}\r\n`
}
