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
  await sendForms(port, { size, chunkSize, threads }, (chunk) => ({
    path: '/upload/accept',
    fields: { task_id: taskId, id: 'WU_FILE_0', name: FILE_NAME, size, chunks, chunk },
  }))
  return complete(port, taskId)
}

/** Uploads as Resumable.js does, whose fields are in the query, too. @param size a multiple of `chunkSize`. */
export async function uploadByResumable(port: number, size: number, chunkSize: number, id: string): Promise<void> {
  await sendForms(port, { size, chunkSize, threads: 1 }, (chunk) => {
    const fields = {
      resumableChunkNumber: chunk + 1,
      resumableChunkSize: chunkSize,
      resumableCurrentChunkSize: chunkSize,
      resumableTotalSize: size,
      resumableType: 'application/octet-stream',
      resumableIdentifier: id,
      resumableFilename: FILE_NAME,
      resumableRelativePath: FILE_NAME,
      resumableTotalChunks: size / chunkSize,
    }
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(fields)) query.set(name, String(value))
    return { path: `/upload/resumable?${query}`, fields }
  })
}

/** Uploads as Dropzone does. */
export async function uploadByDropzone(port: number, size: number, chunkSize: number, id: string): Promise<void> {
  await sendForms(port, { size, chunkSize, threads: 1 }, (chunk) => ({
    path: '/upload/dropzone',
    fields: {
      dzuuid: id,
      dzchunkindex: chunk,
      dztotalfilesize: size,
      dzchunksize: chunkSize,
      dztotalchunkcount: Math.ceil(size / chunkSize),
      dzchunkbyteoffset: chunk * chunkSize,
    },
  }))
}

interface Form {
  readonly path: string
  readonly fields: Readonly<Record<string, string | number>>
}

/** Sends the chunks of a file in order, over several connections. @throws Error when a request is refused. */
async function sendForms(
  port: number,
  { size, chunkSize, threads }: { readonly size: number; readonly chunkSize: number; readonly threads: number },
  formOf: (chunk: number) => Form,
): Promise<void> {
  const chunks = Math.ceil(size / chunkSize)
  let begun = 0
  const lane = async (): Promise<void> => {
    const connection = new Connection(port)
    while (begun < chunks) {
      const chunk = begun++
      const offset = chunk * chunkSize
      const { path, fields } = formOf(chunk)
      await connection.request({
        method: 'POST',
        path,
        headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
        body: {
          before: partsBeforeBytes(fields),
          offset,
          length: Math.min(chunkSize, size - offset),
          after: `\r\n--${BOUNDARY}--\r\n`,
        },
      })
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: threads }, lane))
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
