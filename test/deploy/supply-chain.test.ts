import { type ExecFileException, execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { temporaryFolder } from '../support/folder.ts'

/** What package-lock.json says of each package, by its place in node_modules. */
const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ dependencies: z.record(z.string(), z.string()).optional() })),
})

type Lock = z.infer<typeof lockSchema>

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let respond: (request: IncomingMessage, response: ServerResponse) => void
let registry: http.Server
let registryUrl: string
beforeEach(async () => {
  folder = await temporaryFolder()
  registry = http.createServer((request, response) => respond(request, response))
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  const address = registry.address()
  registryUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`
})
afterEach(async () => {
  registry.closeAllConnections()
  await new Promise((resolve) => registry.close(resolve))
  await folder.dispose()
})

interface Outcome {
  readonly code: unknown
  readonly out: string
  readonly errors: string
}

function runScript(name: string, ...args: readonly string[]): Promise<Outcome> {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder.path,
    npm_config_registry: registryUrl,
    npm_config_fetch_retries: '0',
    NO_PROXY: '127.0.0.1',
  }
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, out: string, errors: string): void => {
      resolve({ code: error === null ? 0 : error.code, out, errors })
    }
    execFile(process.execPath, [path.join(PROJECT, 'scripts', name), ...args], { cwd: PROJECT, env }, done)
  })
}

describe('scripts/audit.mjs', () => {
  function answerWith(status: number, advisories: object): void {
    respond = (request, response) => {
      const isQuestion = request.method === 'POST' && request.url?.endsWith('/advisories/bulk')
      response.writeHead(isQuestion ? status : 404, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(isQuestion ? advisories : {}))
    }
  }

  it('reports no vulnerabilities only if the registry has answered so', async () => {
    answerWith(200, {})
    expect(await runScript('audit.mjs')).toMatchObject({ code: 0, out: expect.stringMatching(/^Audited: /) })
  })

  it.each([405, 500])('says that nothing was audited if the registry answers %d', async (status) => {
    answerWith(status, {})
    expect(await runScript('audit.mjs')).toMatchObject({
      code: 2,
      out: '',
      errors: expect.stringMatching(/^Not audited: the registry did not answer \(.+\)\.\n$/),
    })
  })

  it('fails with the title of a vulnerability', async () => {
    const advisory = { id: 1, url: 'https://example.com/1', title: 'Koa can be tricked', severity: 'high' }
    answerWith(200, { koa: [{ ...advisory, vulnerable_versions: '<=99' }] })
    expect(await runScript('audit.mjs')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('high: koa: Koa can be tricked (<=99) https://example.com/1'),
    })
  })
})

describe('scripts/check-lock.mjs', () => {
  it('finds a digest of every package that the image installs', async () => {
    expect(await runScript('check-lock.mjs')).toMatchObject({ code: 0, errors: '' })
  })

  it('names a package without one, unless it is for another platform', async () => {
    const file = path.join(folder.path, 'package-lock.json')
    const lock = JSON.parse(await readFile(path.join(PROJECT, 'package-lock.json'), 'utf8'))
    for (const name of ['koa', '@biomejs/cli-linux-x64', '@biomejs/cli-linux-arm64', '@biomejs/cli-darwin-x64']) {
      lock.packages[`node_modules/${name}`].integrity = undefined
    }
    await writeFile(file, JSON.stringify(lock))
    const { code, errors } = await runScript('check-lock.mjs', file)
    const names = ['@biomejs/cli-linux-arm64', '@biomejs/cli-linux-x64', 'koa'].map((name) => `node_modules/${name}`)
    expect([code, errors]).toEqual([1, `${file} has no SHA-512 digest of ${names.join(', ')}.\n`])
  })
})

describe('scripts/pin-images.mjs', () => {
  const MANIFEST = '{"schemaVersion":2}'
  const DIGEST = `sha256:${createHash('sha256').update(MANIFEST).digest('hex')}`

  function answerWith(announced: string): void {
    respond = (request, response) => {
      if (request.url?.startsWith('/token?service=images&scope=repository')) {
        response.end('{"token":"a-token"}')
      } else if (request.headers.authorization !== 'Bearer a-token') {
        const scope = request.url?.includes('/nginx/')
          ? 'repository:library/nginx:pull'
          : 'repository:library/node:pull'
        const challenge = `Bearer realm="${registryUrl}/token",service="images",scope="${scope}"`
        response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
      } else {
        response.setHeader('Docker-Content-Digest', announced).end(MANIFEST)
      }
    }
  }

  it('prints the base images with the digests that the registry has', async () => {
    answerWith(DIGEST)
    expect(await runScript('pin-images.mjs', '--registry', registryUrl)).toEqual({
      code: 0,
      out: `NODE_IMAGE=node:24-bookworm-slim@${DIGEST}\nNGINX_IMAGE=nginx:1-bookworm@${DIGEST}\n`,
      errors: '',
    })
  })

  it('pins nothing if the registry sends another manifest than it announces, or none', async () => {
    answerWith(`sha256:${'0'.repeat(64)}`)
    const wrong = await runScript('pin-images.mjs', '--registry', registryUrl)
    expect(wrong).toMatchObject({
      code: 2,
      out: '',
      errors: expect.stringMatching(/^Not pinned: .* the content is not/),
    })
    respond = (_, response) => {
      response.writeHead(404).end()
    }
    const none = await runScript('pin-images.mjs', '--registry', registryUrl)
    expect(none).toMatchObject({ code: 2, out: '', errors: expect.stringMatching(/^Not pinned: .*: 404\n$/) })
  })
})

describe('docs/dependencies.md', () => {
  it('has a row for each package that the service needs, and their number', async () => {
    const page = await readFile(path.join(PROJECT, 'docs/dependencies.md'), 'utf8')
    const rows = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name)
    const { dependencies } = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8'))
    expect(rows.sort()).toEqual(Object.keys(dependencies).sort())
    const { out } = await runScript('check-lock.mjs')
    const [, total] = / (\d+) of them for the service/.exec(out) ?? []
    const brought = Number(total) - rows.length
    expect(page).toContain(`${total} packages to run the service: the ${rows.length} below, and ${brought} that`)
  })

  it('says how many packages each of them brings', async () => {
    const page = await readFile(path.join(PROJECT, 'docs/dependencies.md'), 'utf8')
    const lock = lockSchema.parse(JSON.parse(await readFile(path.join(PROJECT, 'package-lock.json'), 'utf8')))
    const said = [...page.matchAll(/^\| `([^`]+)` \| (\d+) \|/gm)].map(([, name = '', count]) => [name, Number(count)])
    const listed = new Set(said.map(([name]) => `node_modules/${name}`))
    const counted = said.map(([name]) => [name, broughtBy(String(name), lock, (place) => listed.has(place))])
    expect(said).toEqual(counted)
    expect(said.length).toBeGreaterThan(10)
  })
})

/** The packages of package-lock.json that one brings, without those that `isListed`. */
function broughtBy(name: string, { packages }: Lock, isListed: (place: string) => boolean): number {
  const placeOf = (dependency: string, from: string): string | undefined => {
    for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
      const place = `${folder === '' ? '' : `${folder}/`}node_modules/${dependency}`
      if (packages[place] !== undefined || folder === '') return packages[place] && place
    }
  }
  const places = new Set([`node_modules/${name}`])
  for (const place of places) {
    for (const dependency of Object.keys(packages[place]?.dependencies ?? {})) {
      const found = placeOf(dependency, place)
      if (found !== undefined) places.add(found)
    }
  }
  return [...places].filter((place) => !isListed(place)).length
}

describe('Dockerfile', () => {
  it('runs no install scripts, and starts every stage from the image that a release pins', async () => {
    const lines = (await readFile(path.join(PROJECT, 'Dockerfile'), 'utf8')).split('\n')
    const installs = lines.filter((line) => /\bnpm (ci|i|install|rebuild)\b/.test(line))
    expect(installs).toHaveLength(2)
    for (const line of installs) expect(line).toContain(' --ignore-scripts ')
    const stages = lines.filter((line) => line.startsWith('FROM '))
    expect(stages).toHaveLength(3)
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the file.
    for (const line of stages) expect(line.split(' ')[1]).toBe('${NODE_IMAGE}')
  })
})

describe('.github', () => {
  it('runs only actions that are named by commit', async () => {
    for (const file of ['ci.yml', 'release.yml']) {
      const text = await readFile(path.join(PROJECT, '.github/workflows', file), 'utf8')
      const actions = [...text.matchAll(/uses: (\w\S+)/g)].map(([, action]) => action)
      expect(actions.length).toBeGreaterThan(0)
      for (const action of actions) expect(action).toMatch(/@[0-9a-f]{40}$/)
    }
  })
})
