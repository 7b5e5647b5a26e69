import { expect, test } from '@jest/globals'
import { fromBase64 } from '../../server/core/digest.ts'

test.each([
  ['', ''],
  ['YQ==', 'a'],
  ['YQ', 'a'],
  ['YWI=', 'ab'],
  ['YWJj', 'abc'],
])('%j is base64', (text, said) => {
  expect(fromBase64(text)?.toString()).toBe(said)
})

test.each(['Y', 'YQ==YQ==', 'Y Q==', '*', '=a'])('%j is none', (text) => {
  expect(fromBase64(text)).toBeUndefined()
})

test('very much padding that is none is told in no time', () => {
  const begin = performance.now()
  expect(fromBase64(`${'='.repeat(60_000)}A`)).toBeUndefined()
  expect(performance.now() - begin).toBeLessThan(1_000)
})
