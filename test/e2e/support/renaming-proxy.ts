import { createServer, request } from 'node:http'

/** A proxy that keeps the name under which visitors reach it from the service: it replaces `Host`. */
export interface RenamingProxy {
  readonly port: number
  close(): Promise<void>
}

/** Starts one in front of the service at `target`. */
export async function startRenamingProxy(target: string): Promise<RenamingProxy> {
  const { host } = new URL(target)
  const server = createServer((asked, answer) => {
    const headers = { ...asked.headers, host }
    const passed = request(
      new URL(asked.url ?? '/', target),
      { method: asked.method ?? 'GET', headers },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(answer)
      },
    )
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return {
    port: address.port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
