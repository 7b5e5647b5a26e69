import { type ExecFileException, execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
/** The images and containers of the tests are kept apart from those of the host. */
const NAME = 'landfall-test'
const TAG = 'test'
/** The name of the image in all compose files. */
export const IMAGE = `landfall:${TAG}`

/** The output of a command. */
export interface Outcome {
  readonly code: number
  readonly out: string
  readonly errors: string
}

/** Runs the container engine. */
export function engine(...args: readonly string[]): Promise<Outcome> {
  return run(required('ENGINE'), args, {})
}

/** Runs the container engine. @throws Error with its output when it fails. @returns its output. */
export async function engineOk(...args: readonly string[]): Promise<string> {
  return succeeded(args, await engine(...args))
}

/** A checkout in its own directory, from which an operator starts the service. */
export interface Deployment {
  readonly folder: string
  /** `http://localhost:port` of docker-compose.yml, docker-compose.s3.yml, and docker-compose.shards.yml. */
  readonly url: string
  /** `http://localhost:port` of docker-compose.tls.yml. */
  readonly plainUrl: string
  /** `https://localhost:port` of docker-compose.tls.yml. */
  readonly secureUrl: string
  /** Runs compose. @throws Error with its output when it fails. */
  compose(...args: readonly string[]): Promise<string>
  /** Checks an earlier commit out beside it. @returns `compose` there, with the same volumes, ports, and settings. */
  earlier(commit: string): Promise<(...args: readonly string[]) => Promise<string>>
  /** The container of a service, running or not. @throws Error when there is none, or several. */
  container(service: string): Promise<string>
  /** Removes containers, volumes, and the directory. */
  dispose(): Promise<void>
}

/**
 * Copies the working tree, without ignored files, into a new directory, and removes leftovers of earlier tests from the
 * engine.
 *
 * @param settings lines of `landfall.env`.
 */
export async function newDeployment(settings: Readonly<Record<string, string>> = {}): Promise<Deployment> {
  const parent = await mkdtemp(path.join(tmpdir(), 'landfall-deployment-'))
  const folder = path.join(parent, 'now')
  await mkdir(folder)
  const listed = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], {}, PROJECT)
  for (const file of succeeded(['ls-files'], listed).split('\0').filter(Boolean)) {
    const source = path.join(PROJECT, file)
    if (existsSync(source)) await cp(source, path.join(folder, file))
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(path.join(folder, 'landfall.env'), lines.join(''))
  await mkdir(path.join(folder, 'tls'))
  await cp(required('CERTIFICATE'), path.join(folder, 'tls'), { recursive: true })

  const [port, httpPort, httpsPort] = await Promise.all([freePort(), freePort(), freePort()])
  const environment = {
    SECRET: 'a secret of thirty-two characters',
    S3_SECRET_ACCESS_KEY: 'another secret',
    LANDFALL_TAG: TAG,
    LANDFALL_NAME: 'localhost',
    LANDFALL_PORT: String(port),
    LANDFALL_HTTP_PORT: String(httpPort),
    LANDFALL_HTTPS_PORT: String(httpsPort),
  }
  const composeIn =
    (checkout: string, tag: string) =>
    async (...args: readonly string[]): Promise<string> => {
      const own = { ...environment, LANDFALL_TAG: tag }
      return succeeded(args, await run(required('COMPOSE'), ['-p', NAME, ...args], own, checkout))
    }
  const compose = composeIn(folder, TAG)
  const removeAll = async (): Promise<void> => {
    await compose('-f', 'docker-compose.tls.yml', 'down', '-v')
    await compose('-f', 'docker-compose.shards.yml', 'down', '-v')
    await compose('-f', 'docker-compose.s3.yml', '--profile', 's3', '--profile', 'cluster', 'down', '-v')
    await compose('down', '-v')
  }
  await removeAll()
  return {
    folder,
    url: `http://localhost:${port}`,
    plainUrl: `http://localhost:${httpPort}`,
    secureUrl: `https://localhost:${httpsPort}`,
    compose,
    earlier: async (commit) => {
      const checkout = path.join(parent, commit)
      await mkdir(checkout)
      const archive = path.join(parent, `${commit}.tar`)
      const archived = await run('git', ['archive', '-o', archive, commit], {}, PROJECT)
      succeeded(['archive', commit], archived)
      succeeded(['-xf', archive], await run('tar', ['-xf', archive, '-C', checkout], {}))
      await cp(path.join(folder, 'landfall.env'), path.join(checkout, 'landfall.env'))
      return composeIn(checkout, `${TAG}-${commit}`)
    },
    container: async (service) => {
      const label = 'label=com.docker.compose'
      const filters = ['--filter', `${label}.project=${NAME}`, '--filter', `${label}.service=${service}`]
      const ids = (await engineOk('ps', '-aq', ...filters)).split('\n').filter(Boolean)
      if (ids.length !== 1 || ids[0] === undefined) throw new Error(`${ids.length} containers of ${service}`)
      return ids[0]
    },
    dispose: async () => {
      await removeAll()
      await rm(parent, { recursive: true })
    },
  }
}

/** The sets of capabilities of process 1 of a container, as bits, and whether it can gain others. */
export async function capabilitiesOf(container: string): Promise<Readonly<Record<string, bigint>>> {
  const status = await engineOk('exec', container, 'cat', '/proc/1/status')
  const lines = [...status.matchAll(/^(CapPrm|CapEff|CapBnd|NoNewPrivs):\s*(\w+)$/gm)]
  return Object.fromEntries(lines.map(([, name, bits]) => [name, BigInt(`0x${bits}`)]))
}

/** The limits of a container: bytes of memory, and processes with their threads. */
export async function limitsOf(container: string): Promise<{ memory: number; pids: number }> {
  const limits = await engineOk('inspect', '--format', '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}', container)
  const [memory = 0, pids = 0] = limits.split(' ').map(Number)
  return { memory, pids }
}

/** Waits until the service is ready. @throws Error after a minute. */
export async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined)
    if (answer?.status === 200) return
    if (Date.now() > deadline) throw new Error(`${url}/readyz: ${answer?.status ?? 'no response'}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A free port. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const address: AddressInfo | string | null = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<Outcome> {
  const [program = '', ...first] = command.split(' ')
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 }
    const done = (error: ExecFileException | null, out: string, errors: string): void => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, out: out.trim(), errors: errors.trim() })
    }
    execFile(program, [...first, ...args], options, done)
  })
}

function succeeded(args: readonly string[], { code, out, errors }: Outcome): string {
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${out}\n${errors}`)
  return out
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`Run these tests with: npm run test:containers`)
  return value
}
