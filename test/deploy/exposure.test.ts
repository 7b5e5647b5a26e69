import { afterEach, beforeEach, describe, expect, it, test } from '@jest/globals'
import { exposure } from '../../server/exposure.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProgram } from '../support/program.ts'

describe('The program', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(() => folder.dispose())

  /** What the program logs from its start to its end. */
  async function logOf(settings: Readonly<Record<string, string>>): Promise<string> {
    const program = await startProgram({ DATA_DIR: folder.path, ...settings })
    const closed = new Promise((resolve) => program.process.stderr?.once('close', resolve))
    expect(await program.end('SIGTERM')).toBe(0)
    await closed
    return program.errors()
  }

  it.each(['0.0.0.0', '::'])('warns in one line when it listens on %s without authentication', async (HOST) => {
    const [line = '', ...others] = (await logOf({ HOST })).split('\n')
    expect(JSON.parse(line)).toMatchObject({
      level: 40,
      msg: expect.stringMatching(/^Without authentication, every client that can reach \S+ port \d+ can upload\. Set /),
    })
    expect(others).toEqual([''])
  })

  it('does not warn of a public address if clients need a token', async () => {
    const log = await logOf({ HOST: '0.0.0.0', AUTH: 'jwt', JWT_SECRET: 's'.repeat(32) })
    expect(log).not.toContain('can upload')
  })

  it.each([
    ['on a loopback address', { HOST: '127.0.0.1' }],
    ['on a name of one', { HOST: 'localhost' }],
    ['in a container, where the address is not public by itself', { HOST: '0.0.0.0', container: 'oci' }],
  ])('does not warn when it listens %s', async (_, settings) => {
    expect(await logOf(settings)).toBe('')
  })
})

test.each([
  ['127.0.0.1', 'IPv4'],
  ['127.8.9.10', 'IPv4'],
  ['::1', 'IPv6'],
  ['::ffff:127.0.0.1', 'IPv6'],
])('%s counts as local', (address, family) => {
  expect(exposure({ address, family, port: 1 }, 'none', undefined)).toBeUndefined()
})

test.each([
  ['192.168.1.2', 'IPv4'],
  ['128.0.0.1', 'IPv4'],
  ['::ffff:10.0.0.1', 'IPv6'],
  ['fe80::1', 'IPv6'],
])('%s counts as public, except with authentication', (address, family) => {
  expect(exposure({ address, family, port: 1 }, 'none', undefined)).toContain(`${address} port 1 `)
  expect(exposure({ address, family, port: 1 }, 'jwt', undefined)).toBeUndefined()
})
