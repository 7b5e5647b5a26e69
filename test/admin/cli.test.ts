import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { cancel, extend, finish, interrupt, release, rm } from '../../server/cli/acts.ts'
import { check } from '../../server/cli/check.ts'
import type { CliCommand } from '../../server/cli/cli-command.ts'
import { expire } from '../../server/cli/expire.ts'
import { hooks } from '../../server/cli/hooks.ts'
import { ls } from '../../server/cli/ls.ts'
import { show } from '../../server/cli/show.ts'
import { statsCommand } from '../../server/cli/stats-command.ts'
import { version } from '../../server/cli/version-command.ts'
import { watch } from '../../server/cli/watch.ts'
import { Layout } from '../../server/disk/layout.ts'
import { DeadLetters } from '../../server/outbox/dead-letters.ts'
import { ADMIN_TOKEN } from '../support/admin.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, idOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../dist/program/main.js', import.meta.url))

let folder: TemporaryFolder
let program: Program
let environment: Readonly<Record<string, string>>

beforeAll(async () => {
  folder = await temporaryFolder()
  const port = await freePort()
  program = await startProgram({ DATA_DIR: folder.path, ADMIN_PORT: String(port), ADMIN_TOKEN })
  environment = { PATH: process.env['PATH'] ?? '', ADMIN_URL: `http://127.0.0.1:${port}`, ADMIN_TOKEN }
})

afterAll(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

interface Outcome {
  readonly code: number
  readonly out: readonly string[]
  readonly errors: readonly string[]
}

/** Runs a command with arguments. */
async function run(
  command: CliCommand,
  args: readonly string[],
  changed: Readonly<Record<string, string | undefined>> = {},
): Promise<Outcome> {
  const [out, errors]: [string[], string[]] = [[], []]
  const code = await command(
    { ...environment, ...changed },
    args,
    (line) => out.push(line),
    (line) => errors.push(line),
  )
  return { code, out, errors }
}

const jsonIn = ({ out }: Outcome): Record<string, unknown>[] => out.map((line) => JSON.parse(line))

describe('landfall', () => {
  it('lists and shows uploads in columns, and as JSON', async () => {
    const url = await createUpload(program.url, 10, { filename: 'bell \u0007 and \u001b[31mred.txt' })
    await patch(url, 0, Buffer.from('hello'))
    const id = idOf(url)
    await until(async () => (await run(ls, ['--name', 'bell'])).out[1]?.includes('50%') === true)
    const [titles, line] = (await run(ls, ['--name', 'bell'])).out
    expect(titles).toMatch(/^ID +STATE +SIZE +DONE +AGE +EXPIRES +OWNER +NAME$/)
    // No control character of a client reaches the terminal.
    expect(line).toMatch(new RegExp(`^${id} +receiving +10 B +50% +\\d+s +6d23h +- +bell \\? and \\?\\[31mred\\.txt$`))
    const [upload] = jsonIn(await run(ls, ['--json', '--id', id.slice(0, 10)]))
    expect(upload).toMatchObject({ id, size: 10, received: 5, state: 'receiving' })
    const shown = (await run(show, [id])).out.join('\n')
    expect(shown).toMatch(/^offset +5$/m)
    expect(shown).toMatch(/^ranges +0-4$/m)
    expect(jsonIn(await run(show, ['--json', id]))).toMatchObject([{ id, offset: 5, ranges: [[0, 5]] }])
  })

  it('lists more than a page', async () => {
    const ids: string[] = []
    for (const digit of ['1', '2', '3'])
      ids.push(idOf(await createUpload(program.url, 1, { filename: `many ${digit}` })))
    const sorted = ['--name', 'many', '--sort', 'name', '--order', 'desc']
    await until(async () => (await run(ls, sorted)).out.length === 4)
    const { out } = await run(ls, [...sorted, '--limit', '2'])
    expect(out.map((line) => line.slice(0, 32).trim())).toEqual([expect.any(String), ids[2], ids[1], '… 3 in all'])
    expect((await run(ls, ['--name', 'many', '--older-than', '1h'])).out).toHaveLength(1)
    expect((await run(ls, ['--name', 'many', '--newer-than', '1h'])).out).toHaveLength(4)
  })

  it('extends, interrupts, cancels, and removes uploads', async () => {
    const begun = idOf(await createUpload(program.url, 10, { filename: 'begun' }))
    const whole = idOf(await createUpload(program.url, 5, { filename: 'whole' }))
    await patch(`${program.url}/files/${whole}`, 0, Buffer.from('hello'))
    expect((await run(extend, [begun])).out).toEqual([expect.stringMatching(`^${begun}: expires 20`)])
    expect((await run(interrupt, [begun, '--json'])).out).toEqual([`{"id":"${begun}","requests":0}`])
    expect(await run(cancel, [begun, whole])).toEqual({
      code: 1,
      out: [`${begun}: cancelled`],
      errors: [`${whole}: This upload is complete; its file stays.`],
    })
    expect((await run(finish, [whole])).code).toBe(1)
    expect((await run(release, [whole])).code).toBe(1)
    expect(await run(rm, [whole])).toMatchObject({ code: 0, out: [`${whole}: deleted`] })
    expect(await run(rm, [whole])).toMatchObject({ code: 3, errors: [`${whole}: This upload is gone.`] })
  })

  it('expires, counts, and manages dead letters', async () => {
    await until(async () => (await run(expire, ['--dry-run'])).out[0] === 'Would expire: 0 (0 B).')
    expect(await run(expire, [])).toMatchObject({ code: 0, out: ['Expired: 0.'] })
    expect((await run(statsCommand, [])).out[0]).toMatch(/^STATE +UPLOADS +BYTES$/)
    expect(jsonIn(await run(statsCommand, ['--json']))).toMatchObject([{ store: 'disk', index: { isComplete: true } }])
    const { outbox } = new Layout(folder.path)
    await mkdir(outbox, { recursive: true })
    const letters = new DeadLetters(outbox)
    await letters.begin()
    const ids = ['a', 'b'].map((digit) => `evt_${digit.repeat(32)}`)
    for (const id of ids) {
      const facts = { type: 'finished', upload: 'one', createdAt: '2026-11-23T00:00:00.000Z', at: 0 } as const
      await letters.add({ id, ...facts, body: {} }, 'abc', 'status 500')
    }
    expect((await run(hooks, ['ls'])).out[1]).toMatch(/finished +one +1970-01-01T00:00:00.000Z +abc +status 500/)
    expect(await run(hooks, ['rm', `${ids[0]}.abc`])).toMatchObject({ code: 0, out: [`${ids[0]}.abc`] })
    expect(await run(hooks, ['rm', `${ids[0]}.abc`])).toMatchObject({ code: 3 })
    expect((await run(hooks, ['retry', 'all', '--json'])).out).toEqual([`{"id":"${ids[1]}.abc","queued":true}`])
    expect((await run(hooks, ['ls', '--json'])).out).toEqual([])
  })

  it('tells by its exit code what is wrong', async () => {
    expect(await run(ls, ['--nonsense'])).toMatchObject({ code: 2 })
    expect(await run(ls, ['--state', 'nowhere'])).toMatchObject({ code: 1 })
    expect(await run(show, [])).toMatchObject({ code: 2 })
    expect(await run(ls, [], { ADMIN_TOKEN: undefined })).toMatchObject({ code: 2 })
    const wrong = await run(ls, [], { ADMIN_TOKEN: 'x'.repeat(32) })
    expect(wrong).toMatchObject({ code: 1, errors: ['The token is wrong.'] })
    const gone = `http://127.0.0.1:${await freePort()}`
    const unreachable = { code: 4, errors: [`The admin API at ${gone} cannot be reached.`] }
    expect(await run(ls, ['--url', gone])).toMatchObject(unreachable)
    const file = path.join(folder.path, 'token')
    await writeFile(file, `${ADMIN_TOKEN}\n`)
    expect((await run(statsCommand, ['--token-file', file], { ADMIN_TOKEN: undefined })).code).toBe(0)
  })

  it('checks settings without starting, and says its version', async () => {
    const data = { DATA_DIR: path.join(folder.path, 'never') }
    expect(await run(check, [], data)).toEqual({ code: 0, out: ['The settings are right.'], errors: [] })
    const wrong = await run(check, ['--json', '--port', 'many'], data)
    expect(wrong.code).toBe(2)
    expect(jsonIn(wrong)).toMatchObject([{ ok: false, problems: [expect.stringMatching(/^PORT must be /)] }])
    expect(await readdir(folder.path)).not.toContain('never')
    expect((await run(version, [])).out[0]).toMatch(/^Landfall \d+\.\d+\.\d+.*, Node v\d+/)
    expect(jsonIn(await run(version, ['--json']))).toMatchObject([{ node: process.version }])
  })

  it('works with several nodes as with one, and finds the node of an upload', async () => {
    const data = await temporaryFolder()
    const port = await freePort()
    const other = await startProgram({ DATA_DIR: data.path, ADMIN_PORT: String(port), ADMIN_TOKEN, NODE: 'b' })
    try {
      const both = { ADMIN_URL: `${environment['ADMIN_URL']},http://127.0.0.1:${port}` }
      const urls: string[] = []
      for (const [i, base] of [program.url, other.url, program.url].entries()) {
        urls.push(await createUpload(base, 5, { filename: `node ${i}` }))
      }
      const sorted = ['--name', 'node', '--sort', 'name', '--json']
      await until(async () => (await run(ls, sorted, both)).out.length === 3)
      expect(jsonIn(await run(ls, sorted, both)).map(({ id }) => id)).toEqual(urls.map(idOf))
      expect((await run(ls, ['--name', 'node', '--limit', '2'], both)).out).toHaveLength(4)
      expect((await run(show, [idOf(urls[1] ?? '')], both)).out[0]).toMatch(/^id +b-[0-9a-f]{30}$/)
      expect(jsonIn(await run(statsCommand, ['--json'], both))).toMatchObject([{}, { node: 'b' }])
      expect((await run(expire, ['--dry-run'], both)).out).toHaveLength(2)
      expect(await run(rm, urls.map(idOf), both)).toMatchObject({ code: 0, errors: [] })
      expect((await run(rm, [idOf(urls[1] ?? '')], both)).code).toBe(3)
      // A node that is away may have it.
      const away = { ADMIN_URL: `${environment['ADMIN_URL']},http://127.0.0.1:1` }
      expect((await run(show, [idOf(urls[1] ?? '')], away)).code).toBe(4)
    } finally {
      await other.end('SIGKILL')
      await data.dispose()
    }
  })

  it('explains each command', async () => {
    const acts = [rm, cancel, interrupt, extend, finish, release]
    for (const command of [ls, show, watch, ...acts, expire, statsCommand, hooks, check, version]) {
      const { code, out } = await run(command, ['--help'])
      expect([code, out[0]]).toEqual([0, expect.stringMatching(/^landfall \w+/)])
    }
  })

  it('follows uploads, and is the service itself as serve', async () => {
    const port = String(await freePort())
    const settings = { ...environment, ADMIN_PORT: port, ADMIN_URL: `http://127.0.0.1:${port}` }
    const dataDir = path.join(folder.path, 'served')
    const service = spawn(process.execPath, [MAIN, 'serve', '--port', '0', '--data-dir', dataDir], { env: settings })
    const [line] = z.array(z.string()).parse(await once(createInterface(service.stdout), 'line'))
    const url = line?.replace('Landfall listens on ', '') ?? ''
    const watching = spawn(process.execPath, [MAIN, 'watch'], { env: settings })
    const seen = once(createInterface(watching.stdout), 'line')
    let isSeen = false
    // The first events may come before the stream is open.
    const creating = (async () => {
      while (!isSeen) await createUpload(url, 10, { filename: 'followed' })
    })()
    const [first] = z.array(z.string()).parse(await seen)
    isSeen = true
    await creating
    expect(first).toMatch(/^20\S+ (created|changed) +[0-9a-f]{32} receiving 0 B of 10 B \(0%\) followed$/)
    service.kill('SIGTERM')
    const [code] = await once(watching, 'exit')
    expect(code).toBe(4)
  })
})
