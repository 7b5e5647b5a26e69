import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readSettings } from '../../server/read-settings.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'

const run = promisify(execFile)
const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url))

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.dispose())

describe.each(['landfall.service', 'landfall@.service'])('The unit %s for systemd', (name) => {
  const unit = `${DEPLOY}/systemd/${name}`

  it('has no faults', async () => {
    const { stdout, stderr } = await run('systemd-analyze', ['verify', unit])
    expect(stdout + stderr).not.toContain(name)
  })

  it('exposes little of the host: less than 2.5 of 10', async () => {
    // It fails beyond the threshold, which is ten times as much.
    await run('systemd-analyze', ['security', '--offline=true', '--threshold=24', unit])
  })

  it('gives a stopping service more than its default DRAIN', async () => {
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(await readFile(unit, 'utf8'))?.[1])
    const command = readSettings({}, [])
    expect(command.kind === 'run' && seconds > command.settings.DRAIN + command.settings.SHUTDOWN_DELAY).toBe(true)
  })

  it('comes with an environment that the service accepts', async () => {
    const lines = (await readFile(`${DEPLOY}/systemd/landfall.env`, 'utf8')).split('\n')
    // Examples in comments count, too, except for files that do not exist here.
    const pairs = lines.flatMap((line) => [...line.matchAll(/^(?:# )?([A-Z][A-Z_]+)=(\S+)$/g)])
    const environment = Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]))
    const { JWT_SECRET_FILE, ...others } = environment
    expect(JWT_SECRET_FILE).toMatch(/^\//)
    expect(readSettings({ ...others, JWT_SECRET: 's'.repeat(32) }, []).kind).toBe('run')
  })
})

describe('The rotation of the audit log', () => {
  it('begins a new file, and needs no signal', async () => {
    const log = path.join(folder.path, 'audit.log')
    const deployed = await readFile(`${DEPLOY}/logrotate/landfall`, 'utf8')
    const configuration = deployed
      .replace('/var/log/landfall/audit.log', log)
      .replaceAll('landfall landfall', 'root root')
    await writeFile(`${folder.path}/configuration`, configuration, { mode: 0o600 })
    await writeFile(log, 'a line\n')
    await run('/usr/sbin/logrotate', ['-f', '-s', `${folder.path}/state`, `${folder.path}/configuration`])
    expect(await readFile(`${log}.1`, 'utf8')).toBe('a line\n')
    expect(await readFile(log, 'utf8')).toBe('')
    expect(deployed).not.toContain('postrotate')
  })
})
