import { expect, it } from '@jest/globals'
import { deriveKeys, ownerOf } from '../server/keys.ts'

const SECRET = 'A secret of 32 characters, or a few more'

it('Keys differ from each other, from the secret, and from those of another secret', () => {
  const keys = [...Object.values(deriveKeys(SECRET)), ...Object.values(deriveKeys(`${SECRET}.`))]
  expect(new Set([SECRET, ...keys.map((key) => key.toString('hex'))]).size).toBe(keys.length + 1)
  for (const key of keys) expect(key).toHaveLength(32)
})

it('An owner is the same for the same issuer and subject, and another one for any others', () => {
  const keys = deriveKeys(SECRET)
  expect(ownerOf(keys, 'https://login.example', 'alice')).toMatch(/^[0-9a-f]{32}$/)
  const pairs = [
    ['https://login.example', 'alice'],
    ['https://login.example', 'bob'],
    ['https://login.example/', 'alice'],
    ['', 'https://login.example|5:alice'],
    ['alice', 'https://login.example'],
    ['https://login.examplealice', ''],
  ] as const
  const owners = pairs.map(([issuer, subject]) => ownerOf(keys, issuer, subject))
  expect(new Set(owners).size).toBe(pairs.length)
  expect(pairs.map(([issuer, subject]) => ownerOf(deriveKeys(SECRET), issuer, subject))).toEqual(owners)
  expect(ownerOf(deriveKeys(`${SECRET}.`), 'https://login.example', 'alice')).not.toBe(owners[0])
})

// Records and links of earlier runs depend on it.
it('Keys and owners of a secret are the same in every version', () => {
  const { owner, account, link, token } = deriveKeys(SECRET)
  expect([owner, account, link, token].map((key) => key.toString('hex').slice(0, 8))).toEqual([
    '93233d1c',
    '97e7f120',
    'be796d9c',
    'a0254d49',
  ])
  expect(ownerOf({ owner }, 'https://login.example', 'alice')).toBe('c458248cc4b47586327ee00c64f58523')
})
