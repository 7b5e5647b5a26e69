import { once } from 'node:events'
import http from 'node:http'
import { parseArgs } from 'node:util'
import { FLOODS, type Flood } from './flood-kinds.ts'

const LANES = 64
/** As much as a request head may have. */
const METADATA = `name ${Buffer.from('\u0001'.repeat(5_900)).toString('base64')}`

const TUS = { 'Tus-Resumable': '1.0.0', 'Content-Length': '0' }

interface Creation {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Creates uploads as fast as the service allows, until it is killed; prints how many were created per second. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '' }, kind: { type: 'string' } } })
  const kind = FLOODS.find((name) => name === values.kind)
  if (kind === undefined) throw new Error(`--kind must be one of ${FLOODS.join(', ')}.`)
  const agent = new http.Agent({ keepAlive: true, maxSockets: LANES, localAddress: '127.0.0.1' })
  let created = 0
  let number = process.pid * 1e6
  setInterval(() => {
    process.stdout.write(`${created}\n`)
    created = 0
  }, 1_000)
  const lane = async (): Promise<never> => {
    for (;;) {
      number += 1
      if ((await send(Number(values.port), agent, creationOf(kind, number))) < 300) created += 1
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

function creationOf(kind: Flood, number: number): Creation {
  switch (kind) {
    case 'unfinished':
      return { path: '/files', headers: { ...TUS, 'Upload-Length': String(10 ** 15) }, body: '' }
    case 'empty':
      return { path: '/files', headers: { ...TUS, 'Upload-Length': '0' }, body: '' }
    case 'metadata':
      return { path: '/files', headers: { ...TUS, 'Upload-Length': '5', 'Upload-Metadata': METADATA }, body: '' }
    case 'tasks': {
      const fields = `task_id=${number}&name=f&size=10&chunks=2&chunk=0`
      return {
        path: `/upload/accept?${fields}`,
        headers: { 'Content-Type': 'application/octet-stream' },
        body: '12345',
      }
    }
  }
}

async function send(port: number, agent: http.Agent, { path, headers, body }: Creation): Promise<number> {
  const request = http.request({ port, host: '127.0.0.1', method: 'POST', path, headers, agent })
  request.end(body)
  const [response]: http.IncomingMessage[] = await once(request, 'response')
  response?.resume()
  await once(response ?? request, 'end')
  return response?.statusCode ?? 0
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
