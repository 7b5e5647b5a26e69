// A receiver of webhooks that accepts each at once, in its own process: it prints its port.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  request.resume().once('end', () => response.writeHead(204).end())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The receiver does not listen.')
  process.stdout.write(`${address.port}\n`)
})
