import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

/** The keys of each service of a compose file, as text: nested lines and lists are joined by spaces. */
async function servicesOf(name: string): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const text = await readFile(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8')
  const [, body = ''] = /^services:\n((?: .*\n|\n)*)/m.exec(text) ?? []
  const services = new Map<string, Map<string, string>>()
  let keys = new Map<string, string>()
  let key = ''
  for (const line of body.split('\n').filter((found) => found.trim() !== '' && !found.trim().startsWith('#'))) {
    const [, indent = '', word = '', rest = ''] = /^( *)(?:([\w-]+):(?: |$))?(.*)$/.exec(line) ?? []
    if (indent.length === 2) {
      keys = new Map()
      services.set(word, keys)
    } else if (indent.length === 4) {
      key = word
      keys.set(key, rest)
    } else keys.set(key, `${keys.get(key)} ${line.trim()}`.trim())
  }
  return services
}

describe.each(['docker-compose.yml', 'docker-compose.tls.yml'])('%s', (file) => {
  it('gives each container few rights and limited resources', async () => {
    for (const [name, keys] of await servicesOf(file)) {
      expect([name, Object.fromEntries(keys)]).toEqual([
        name,
        expect.objectContaining({
          cap_drop: '[ALL]',
          read_only: 'true',
          security_opt: '- no-new-privileges:true',
          mem_limit: expect.stringMatching(/^\$\{\w+:-\d+[mg]\}$/),
          pids_limit: expect.stringMatching(/^\d+$/),
        }),
      ])
    }
  })
})

it('docker-compose.yml publishes the service on the loopback address unless LANDFALL_BIND is set', async () => {
  const services = await servicesOf('docker-compose.yml')
  expect(services.get('landfall')?.get('ports')).toMatch(/^- "\$\{LANDFALL_BIND:-127\.0\.0\.1\}:[^"]+:1080"$/)
})

it('docker-compose.tls.yml publishes nginx only, with four capabilities, for a name that has no default', async () => {
  const services = await servicesOf('docker-compose.tls.yml')
  expect([...services].filter(([, keys]) => keys.has('ports')).map(([name]) => name)).toEqual(['nginx'])
  expect(services.get('landfall')?.has('cap_add')).toBe(false)
  expect(services.get('nginx')?.get('cap_add')).toBe('[NET_BIND_SERVICE, CHOWN, SETUID, SETGID]')
  expect(services.get('nginx')?.get('environment')).toMatch(/^LANDFALL_NAME: \$\{LANDFALL_NAME:\?[^}]+\}$/)
})
