import { createHash, webcrypto } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { sha256 } from '../../client/webuploader/src/sha256.ts'
import { bytesOf } from '../support/bytes.ts'

const { subtle } = webcrypto

function setSubtle(value: unknown): void {
  Object.defineProperty(globalThis.crypto, 'subtle', { value, configurable: true })
}

afterEach(() => setSubtle(subtle))

describe('The SHA-256 of the tag', () => {
  it.each([0, 1, 55, 56, 63, 64, 119, 120, 1024 * 1024, 2_500_003])(
    'is right without crypto.subtle (%d)',
    async (size) => {
      setSubtle(undefined)
      const bytes = bytesOf(size)
      expect(await sha256(new Blob([bytes]))).toBe(createHash('sha256').update(bytes).digest('base64'))
    },
  )
})
