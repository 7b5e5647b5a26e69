import { expect, it } from '@jest/globals'
import { create, extension, HELLO, locationOf, patch, post } from './server.ts'

const DATE =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/
const LENGTH = { 'Upload-Length': String(HELLO.length) }

extension('expiration', () => {
  it('"The value of the Upload-Expires header MUST be in RFC 9110 datetime format", if the upload is going to expire', async () => {
    const response = await patch(await create(LENGTH), 0, HELLO.subarray(0, 5))
    const expires = response.headers.get('Upload-Expires')
    if (expires !== null) expect(expires).toMatch(DATE)
  })

  it('"If the expiration is known at the creation, the Upload-Expires header MUST be included in the response to the initial POST request"', async () => {
    const made = await post(LENGTH)
    const patched = await patch(locationOf(made), 0, HELLO.subarray(0, 5))
    if (patched.headers.has('Upload-Expires')) expect(made.headers.get('Upload-Expires')).toMatch(DATE)
  })
})
