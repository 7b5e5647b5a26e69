import { expect, test } from '@jest/globals'
import { fromBase64 } from '../../server/core/digest.ts'
import { atOnce } from '../support/at-once.ts'

test.each([
  ['', ''],
  ['YQ==', 'a'],
  ['YQ', 'a'],
  ['YWI=', 'ab'],
  ['YWJj', 'abc'],
])('%j is valid base64', (text, said) => {
  expect(fromBase64(text)?.toString()).toBe(said)
})

test.each(['Y', 'YQ==YQ==', 'Y Q==', '*', '=a'])('%j is not valid base64', (text) => {
  expect(fromBase64(text)).toBeUndefined()
})

test('Very long invalid padding is refused in linear time', async () => {
  expect(await atOnce(() => fromBase64(`${'='.repeat(200_000)}A`))).toBeUndefined()
})
