import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
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

/** A page: its token, which it renews when the service has refused it, and what the service has answered. */
class Page {
  readonly answers: string[] = []
  #token: Promise<string> = tokenFor('alice', { exp: inSeconds(300) })

  /**
   * Uploads in chunks of 500,000 bytes; after the second one, the token has expired.
   *
   * @param expired what the page does then.
   */
  upload(expired: (upload: Upload) => Promise<void>): Promise<string> {
    let chunks = 0
    return new Promise((resolve, reject) => {
      const upload: Upload = new Upload(content, {
        endpoint: `${service.url}/files`,
        chunkSize: 500_000,
        retryDelays: [1, 1, 1],
        onBeforeRequest: async (request) => request.setHeader('Authorization', `Bearer ${await this.#token}`),
        onAfterResponse: (request, response) => {
          this.answers.push(`${request.getMethod()} ${response.getStatus()}`)
          if (response.getStatus() !== 401) return
          this.renew()
          // Otherwise, the client would begin again after a HEAD, and give up after a PATCH.
          throw new Error('The token was renewed.')
        },
        onChunkComplete: () => {
          chunks += 1
          if (chunks !== 2) return
          useClockAhead(10 * 60_000)
          expired(upload).catch(reject)
        },
        onSuccess: () => resolve(upload.url ?? ''),
        onError: reject,
      })
      upload.start()
    })
  }

  renew(): void {
    this.#token = tokenFor('alice', { exp: inSeconds(300) })
  }
}

async function expectContent(url: string): Promise<void> {
  const headers = bearer(await tokenFor('alice'))
  const bytes = Buffer.from(await (await fetch(url, { headers })).arrayBuffer())
  expect(bytes.equals(content)).toBe(true)
}

describe('An upload whose token ends', () => {
  const chunks = (count: number): string[] => Array.from({ length: count }, () => 'PATCH 204')
  let page: Page
  beforeEach(async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET })
    page = new Page()
  })

  it('continues with the next request when its page renews the token in time', async () => {
    await expectContent(await page.upload(async () => page.renew()))
    expect(page.answers).toEqual(['POST 201', ...chunks(6)])
  })

  it('continues at its offset when its page renews the token after a PATCH was refused', async () => {
    await expectContent(await page.upload(async () => undefined))
    expect(page.answers).toEqual(['POST 201', ...chunks(2), 'PATCH 401', 'HEAD 200', ...chunks(4)])
  })

  it('continues at its offset when its page renews the token after a HEAD was refused', async () => {
    const pauseAndResume = async (upload: Upload): Promise<void> => {
      await upload.abort()
      upload.start()
    }
    await expectContent(await page.upload(pauseAndResume))
    expect(page.answers).toEqual(['POST 201', ...chunks(2), 'HEAD 401', 'HEAD 200', ...chunks(4)])
  })
})
