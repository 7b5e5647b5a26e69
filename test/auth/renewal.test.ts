import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { Upload } from 'tus-js-client'
import { bytesOf } from '../support/bytes.ts'
import { useClockAhead } from '../support/clock.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, inSeconds, JWT_SECRET, tokenFor } from '../support/tokens.ts'

let service: TestService
afterEach(async () => {
  jest.useRealTimers()
  await service.close()
})

const content = bytesOf(3_000_000)

/** Uploads in chunks of 500,000 bytes; after the second one, the token of that time has expired. */
async function upload(renew: (isExpired: boolean) => Promise<string>, sent: string[]): Promise<string> {
  let token = await renew(true)
  let chunks = 0
  return new Promise((resolve, reject) => {
    const upload: Upload = new Upload(content, {
      endpoint: `${service.url}/files`,
      chunkSize: 500_000,
      retryDelays: [1, 1, 1],
      onBeforeRequest: async (request) => {
        token = await renew(false)
        request.setHeader('Authorization', `Bearer ${token}`)
      },
      onAfterResponse: async (request, response) => {
        sent.push(`${request.getMethod()} ${response.getStatus()}`)
        if (response.getStatus() === 401) token = await renew(true)
      },
      onShouldRetry: (error) => error.originalResponse?.getStatus() === 401,
      onChunkComplete: () => {
        chunks += 1
        if (chunks === 2) useClockAhead(10 * 60_000)
      },
      onSuccess: () => resolve(upload.url ?? ''),
      onError: reject,
    })
    upload.start()
  })
}

async function expectContent(url: string): Promise<void> {
  const headers = bearer(await tokenFor('alice'))
  const bytes = Buffer.from(await (await fetch(url, { headers })).arrayBuffer())
  expect(bytes.equals(content)).toBe(true)
}

describe('An upload whose token ends', () => {
  it('continues with the next request when its page sends a new token in time', async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET })
    const sent: string[] = []
    await expectContent(await upload(() => tokenFor('alice'), sent))
    expect(sent).toEqual(['POST 201', ...Array.from({ length: 6 }, () => 'PATCH 204')])
  })

  it('continues at its offset when its page renews the token after a 401', async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET })
    let token = ''
    const renew = async (isExpired: boolean): Promise<string> => {
      if (isExpired) token = await tokenFor('alice', { exp: inSeconds(300) })
      return token
    }
    const sent: string[] = []
    await expectContent(await upload(renew, sent))
    const four = ['PATCH 204', 'PATCH 204', 'PATCH 204', 'PATCH 204']
    expect(sent).toEqual(['POST 201', 'PATCH 204', 'PATCH 204', 'PATCH 401', 'HEAD 200', ...four])
  })
})
