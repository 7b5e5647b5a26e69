import { describe, expect, it } from '@jest/globals'
import type { Wire } from '../../support/wire.ts'
import { append, beginAppend, create, HELLO, head, stateOf } from './server.ts'

/** Expects the request to end without success. */
async function expectEnded(wire: Wire) {
  const status = await wire.answer().then(
    (answer) => answer.status,
    () => 0,
  )
  expect(status >= 200 && status < 300).toBe(false)
  await wire.cut()
}

describe('concurrency', () => {
  it('"the offset sent by the server MUST be accepted in a subsequent request to append representation data"', async () => {
    const url = await create()
    const running = await beginAppend(url, 0, 1_000_000, HELLO)
    const [offset, complete] = await stateOf(url)
    expect(complete).toBe('?0')
    // The ended request must not add the bytes that still arrive for it.
    await running.send(Buffer.alloc(100_000, 'x'))
    expect((await append(url, Number(offset), true, HELLO)).headers.get('Upload-Complete')).toBe('?1')
    await expectEnded(running)
    const { status, headers } = await head(url)
    if (status < 300) expect(headers.get('Upload-Offset')).toBe(String(Number(offset) + HELLO.length))
  })

  it('"terminating the previous request before processing the new request": a newer append', async () => {
    const url = await create()
    const running = await beginAppend(url, 0, 1_000_000, Buffer.alloc(0))
    const newer = await append(url, 0, false, HELLO)
    expect(newer.status).toBe(204)
    await expectEnded(running)
    expect(await stateOf(url)).toEqual([String(HELLO.length), '?0'])
  })

  it('"the server MUST take measures to prevent race conditions, data loss and corruption": of many appends at one offset, one counts', async () => {
    const url = await create()
    const bodies = ['first body', 'body the second', 'third'].map((text) => Buffer.from(text))
    const answers = await Promise.all(bodies.map((body) => append(url, 0, false, body).then(({ status }) => status)))
    const [offset] = await stateOf(url)
    const taken = bodies.filter((_, i) => answers[i] === 204)
    expect(taken).toHaveLength(1)
    expect(offset).toBe(String(taken[0]?.length))
  })
})
