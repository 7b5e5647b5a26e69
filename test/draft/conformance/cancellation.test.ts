import { describe, expect, it } from '@jest/globals'
import { append, beginAppend, create, HELLO, head, request } from './server.ts'

describe('upload cancellation', () => {
  it('"Upon receiving a DELETE request, the server SHOULD deactivate the upload resource"', async () => {
    const url = await create(HELLO)
    const response = await request('DELETE', url)
    expect(response.ok).toBe(true)
    expect([404, 410]).toContain((await head(url)).status)
    expect([404, 410]).toContain((await append(url, HELLO.length, true)).status)
    expect([404, 410]).toContain((await request('DELETE', url)).status)
  })

  it('"The server SHOULD terminate any in-flight requests to the upload resource before sending the response"', async () => {
    const url = await create()
    const running = await beginAppend(url, 0, 1000, HELLO)
    expect((await request('DELETE', url)).ok).toBe(true)
    // Its connection ends, or it receives an error.
    const status = await running.answer().then(
      (answer) => answer.status,
      () => 0,
    )
    expect(status >= 200 && status < 300).toBe(false)
    await running.cut()
    expect([404, 410]).toContain((await head(url)).status)
  })
})
