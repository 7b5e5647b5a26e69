import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { connections } from '../../server/http/connections.ts'
import { connect, requestHead } from './wire.ts'

/** Node reads so many bytes at once, and goes on at once when there are more. */
const READ_AT_ONCE = 65_536
const TIMES = 5

// The moment is one that only a handler of its own meets each time: the connection is closed, but its end not yet announced.
test('a request that is read behind an answer that ends the connection does no harm, while another answer is owed', async () => {
  const answers: (() => void)[] = []
  const { server } = connections(
    (request, response) => {
      request.resume()
      if (request.url === '/last') response.setHeader('Connection', 'close').end('x')
      else if (request.url === '/slow') answers.push(() => response.end())
      else
        void nextTurn().then(() => {
          response.setHeader('Content-Length', 0).flushHeaders()
          response.end()
        })
    },
    1_000,
    0,
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  const url = `http://127.0.0.1:${address.port}`
  const padded = (path: string): string => requestHead('GET', path, { Pad: 'p'.repeat(8_000) })
  const slow = padded('/slow').repeat(Math.floor(READ_AT_ONCE / padded('/slow').length) - 1)
  for (let i = 0; i < TIMES; i++) {
    const wire = await connect(url)
    await wire.send(padded('/last'), slow, padded('/late').repeat(30))
    await wire.closed
  }
  expect(answers.length).toBeGreaterThan(0)
  for (const answer of answers) answer()
  server.close()
  await once(server, 'close')
})
