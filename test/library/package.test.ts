/** The package, as it is published: packed, installed, and used by applications of several kinds. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'

const run = promisify(execFile)
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const TOOLS = path.join(PROJECT, 'node_modules')
// The options of the test runner are not those of its programs.
const env = { ...process.env, NODE_OPTIONS: '' }

let folder: TemporaryFolder
let tarball: string
beforeAll(async () => {
  folder = await temporaryFolder()
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder.path], {
    cwd: PROJECT,
    env,
  })
  tarball = path.join(folder.path, JSON.parse(stdout)[0].filename)
  await writeFile(path.join(folder.path, 'package.json'), '{ "name": "application", "private": true }')
  const install = ['install', tarball, '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  await run('npm', install, { cwd: folder.path, env })
}, 180_000)
afterAll(() => folder.dispose())

/** Runs a program of the application. @returns its output. */
async function output(name: string, source: string): Promise<string> {
  const file = path.join(folder.path, name)
  await writeFile(file, source)
  const { stdout } = await run(process.execPath, [file], { cwd: folder.path, env })
  return stdout
}

const UPLOAD = `
  const landfall = await createLandfall({ dataDir: 'data-' + process.pid, port: 0, pages: true, logLevel: 'silent' })
  const url = await landfall.listen()
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '5' }
  const created = await fetch(url + '/files', { method: 'POST', headers })
  const file = created.headers.get('Location')
  const more = { 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
  await fetch(file, { method: 'PATCH', headers: { ...headers, ...more }, body: 'hello' })
  const page = await (await fetch(url)).text()
  console.log(await (await fetch(file)).text(), page.includes('<html'))
  await landfall.close()
`

describe('The package', () => {
  it('is used by an ES module', async () => {
    expect(await output('module.mjs', `import { createLandfall } from 'landfall'\n${UPLOAD}`)).toBe('hello true\n')
  })

  it('is used by a CommonJS module', async () => {
    const source = `const { createLandfall } = require('landfall')\n;(async () => {${UPLOAD}})()`
    expect(await output('module.cjs', source)).toBe('hello true\n')
  })

  describe('has a program that', () => {
    /** Runs it. @returns its first line. */
    function begin(args: readonly string[], options: string): { program: ChildProcess; line: Promise<string> } {
      const program = spawn(path.join(folder.path, 'node_modules/.bin/landfall'), args, {
        cwd: folder.path,
        env: { ...env, NODE_OPTIONS: options },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const line = new Promise<string>((resolve) => {
        program.stdout?.once('data', (text: Buffer) => resolve(text.toString()))
        program.once('exit', (code) => resolve(`It has ended with ${code}.`))
      })
      return { program, line }
    }

    it('runs with the flags that npm start has, and ends by the signal that it receives', async () => {
      const seen = path.join(folder.path, 'seen')
      const spy = path.join(folder.path, 'spy.mjs')
      const flags = '[...process.execArgv, process.env.MALLOC_TRIM_THRESHOLD_, process.env.MALLOC_TOP_PAD_]'
      await writeFile(
        spy,
        `import fs from 'node:fs'; fs.writeFileSync(${JSON.stringify(seen)}, ${flags}.sort().join(' '))`,
      )
      const { program, line } = begin(['--port', '0', '--drain', '3600'], `--import ${spy} --max-semi-space-size=16`)
      const [, url = ''] = /^Landfall listens on (http:\S+)/.exec(await line) ?? []
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      expect(await readFile(seen, 'utf8')).toBe(
        // What the operator has set stays so.
        '--initial-old-space-size=64 --min-semi-space-size=4 1048576 33554432',
      )
      const ended = new Promise((resolve) => program.once('exit', (...how) => resolve(how)))
      program.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      await expect(fetch(url)).rejects.toThrow()
    })

    it('ends with the exit code of the service', async () => {
      expect(await begin(['--port', 'none'], '').line).toBe('It has ended with 1.')
      expect(await begin(['doctor', '--data-dir', '/nowhere/data'], '').line).toBe('It has ended with 1.')
    })
  })

  it('has types for strict applications that check the types of their packages', async () => {
    const types = path.join(folder.path, 'node_modules/@types')
    await mkdir(types, { recursive: true })
    const source = `
      import { createServer } from 'node:http'
      import { createLandfall, Refusal, type LandfallOptions } from 'landfall'
      const options: LandfallOptions = {
        dataDir: 'data',
        maxSize: 5,
        sync: 'finish',
        trustProxy: true,
        allowedOrigins: ['https://example.com'],
        authorize: ({ intent, headers }) => (intent === 'read' ? 'anonymous' : { subject: headers['x-user']?.[0] ?? '' }),
        beforeFinish: async ({ path, size }) => {
          if (size === null || path === undefined) throw new Refusal('No.', { status: 422 })
          return { result: { size } }
        },
      }
      const { handler, events } = await createLandfall(options)
      events.on('finished', ({ upload }) => console.log(upload.path))
      createServer(handler)
      // @ts-expect-error: the value is not one of the setting.
      const wrong: LandfallOptions = { dataDir: 'data', sync: 'sometimes' }
      void wrong
    `
    await writeFile(path.join(folder.path, 'typed.mts'), source)
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node']
    const roots = ['--typeRoots', path.join(TOOLS, '@types')]
    const compiled = run(
      process.execPath,
      [path.join(TOOLS, 'typescript/bin/tsc'), ...options, ...roots, 'typed.mts'],
      {
        cwd: folder.path,
        env,
      },
    ).catch((error: { stdout: string }) => ({ stdout: error.stdout }))
    expect((await compiled).stdout).toBe('')
  })

  it('contains nothing that its users do not need', async () => {
    const installed = path.join(folder.path, 'node_modules/landfall')
    const names = await readdir(installed)
    expect(names.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json'])
    expect((await readdir(path.join(installed, 'dist'))).sort()).toEqual([
      'client',
      'legacy-adapter',
      'program',
      'server',
    ])
    const files = await readdir(installed, { recursive: true })
    expect(files.filter((file) => /\.map$|\.test\./.test(file))).toEqual([])
    expect(await readFile(path.join(installed, 'package.json'), 'utf8')).not.toMatch(/"private"/)
  })

  it.each([
    ['publint', ['publint/src/cli.js', 'run', '--strict']],
    // CommonJS modules load it, too: Node has done so for ES modules since 20.19.
    [
      '@arethetypeswrong/cli',
      ['@arethetypeswrong/cli/dist/index.js', '--ignore-rules', 'cjs-resolves-to-esm', '--profile', 'node16'],
    ],
  ])('is found faultless by %s', async (_, [tool = '', ...args]) => {
    const found = run(process.execPath, [path.join(TOOLS, tool), ...args, tarball], { cwd: folder.path, env })
    await expect(found).resolves.toBeDefined()
  })
})
