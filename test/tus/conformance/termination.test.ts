import { expect, it } from '@jest/globals'
import { create, extension, HELLO, head, patch, request } from './server.ts'

const LENGTH = { 'Upload-Length': String(HELLO.length) }

extension('termination', () => {
  it('"the Server SHOULD free associated resources and MUST respond with the 204 No Content status"', async () => {
    const url = await create(LENGTH)
    await patch(url, 0, HELLO.subarray(0, 5))
    expect((await request('DELETE', url)).status).toBe(204)
  })

  it('"For all future requests to this URL, the Server SHOULD respond with the 404 Not Found or 410 Gone status"', async () => {
    const url = await create(LENGTH)
    await request('DELETE', url)
    expect([404, 410]).toContain((await head(url)).status)
    expect([404, 410]).toContain((await patch(url, 0, HELLO)).status)
    expect([404, 410]).toContain((await request('DELETE', url)).status)
  })
})
