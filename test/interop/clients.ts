/** The third-party clients, and what each of them can do. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where run.mjs installs them. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/interop/', import.meta.url))

/** The size in bytes of the file that is uploaded in every way. */
export const SIZE = 6_000_001

/** A program that runs one job, which is JSON in its last argument. Its working directory is that of its toolchain. */
export interface Client {
  /** Its name, its version, and the way to use it, if there are several; publish.mjs splits it there. */
  readonly name: string
  readonly folder: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface TusClient extends Client {
  /** Options for each further way to upload, by its name. */
  readonly ways: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Whether it retries by itself when a connection breaks. */
  readonly retries: boolean
  /** The ways in which it cannot retry. */
  readonly hangs?: readonly string[]
  /** Whether it creates a new upload when the one that it remembers was deleted. */
  readonly recreates: boolean
  /** The signal that stops it: a killed browser loses what its page stored last. */
  readonly stopSignal: 'SIGKILL' | 'SIGTERM'
}

export interface FormClient extends Client {
  /** Whether it can send a file of unknown length, so without Content-Length. */
  readonly streams: boolean
  /** Whether its fields can follow the file. */
  readonly ordersFields: boolean
}

/** Where a client is installed. */
export function folderOf(client: Client): string {
  return `${CACHE}${client.folder}`
}

/** The version of a package in a manifest, after the name to show. */
function versioned(manifest: string, name: string, shown = name): string {
  const text = readFileSync(new URL(`clients/${manifest}`, import.meta.url), 'utf8')
  const found = new RegExp(`${name}\\W\\D*?(\\d+(\\.\\d+)+)`).exec(text)
  if (found === null) throw new Error(`${manifest} has no ${name}.`)
  return `${shown} ${found[1]}`
}

/** The version of an installed program, after the name to show. */
function installed(shown: string, program: string, argument: string): string {
  const found = /\d+(\.\d+)+/.exec(execFileSync(program, [argument], { encoding: 'utf8' }))
  if (found === null) throw new Error(`${program} ${argument} prints no version.`)
  return `${shown} ${found[0]}`
}

const CURL = installed('curl', 'curl', '--version')
const GO = installed('mime/multipart of Go', 'go', 'version')

const PYTHON = { PYTHONPATH: 'packages' } as const
const JAVA = ['java', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', 'classes:lib/*'] as const

const CHUNKED = { 'in chunks': { chunkSize: 1_000_000 } }
const OVERRIDDEN = { 'by POST alone': { overridePatchMethod: true, chunkSize: 1_000_000 } }
const WITH_CREATION = { 'with the creation': { uploadDataDuringCreation: true, chunkSize: 1_000_000 } }
const DEFERRED = { 'with the length deferred': { uploadLengthDeferred: true, chunkSize: 1_000_000 } }
const PARALLEL = { 'in parallel': { parallelUploads: 4 } }
// Version 2 does not determine the size of a file itself.
const STREAMED = { 'from a file stream': { fromFile: true, uploadSize: SIZE } }
const NEWER = { ...CHUNKED, ...OVERRIDDEN, ...WITH_CREATION, ...DEFERRED, ...PARALLEL, ...STREAMED }

function tusJsClient(major: number, ways: TusClient['ways'], hangs: readonly string[] = []): TusClient {
  const alias = `tus-js-client-${major}`
  const name = versioned('node/package.json', alias, 'tus-js-client')
  const command = ['node', 'tus.mjs', alias]
  return { ...REMEMBERS, name, folder: 'node', command, ways, hangs, stopSignal: 'SIGKILL' }
}

function uppy(major: number, ways: TusClient['ways']): TusClient {
  const name = versioned(`uppy/uppy-${major}/package.json`, '@uppy/core', 'Uppy')
  return {
    ...REMEMBERS,
    name,
    folder: 'uppy',
    command: ['node', 'tus.mjs', `uppy-${major}`],
    ways,
    stopSignal: 'SIGTERM',
  }
}

const REMEMBERS = { retries: true, recreates: true } as const

export const TUS_CLIENTS: readonly TusClient[] = [
  tusJsClient(1, { ...CHUNKED, ...OVERRIDDEN }),
  // Its stream stays piped into the request that broke: the next one gets 64 KiB and waits for more.
  tusJsClient(2, NEWER, Object.keys(DEFERRED)),
  tusJsClient(3, NEWER),
  tusJsClient(4, NEWER),
  uppy(1, { ...CHUNKED, ...OVERRIDDEN }),
  uppy(2, { ...CHUNKED, ...OVERRIDDEN, ...PARALLEL }),
  uppy(3, { ...CHUNKED, ...OVERRIDDEN, ...PARALLEL }),
  uppy(6, { ...CHUNKED, ...OVERRIDDEN, ...PARALLEL }),
  {
    name: versioned('python/requirements.txt', 'tuspy'),
    folder: 'python',
    command: ['python3', 'tus.py'],
    env: PYTHON,
    ways: {
      ...{ 'in chunks': { chunk_size: 1_000_000 } },
      ...{ 'in chunks with checksums': { chunk_size: 1_000_000, upload_checksum: true } },
    },
    retries: true,
    recreates: false,
    stopSignal: 'SIGKILL',
  },
  {
    name: versioned('java/pom.xml', 'tus-java-client'),
    folder: 'java',
    command: [...JAVA, 'Tus'],
    ways: CHUNKED,
    retries: true,
    recreates: true,
    stopSignal: 'SIGKILL',
  },
  {
    name: versioned('rust/Cargo.toml', 'tus_client'),
    folder: 'rust',
    command: ['../rust-target/debug/tus'],
    ways: { ...CHUNKED, 'by POST alone': { override: true, chunkSize: 1_000_000 } },
    retries: false,
    recreates: false,
    stopSignal: 'SIGKILL',
  },
]

/** @param variant how the library builds the form, if there are several ways. */
function fromNpm(library: string, streams: boolean, variant?: string): FormClient {
  const name =
    library === 'fetch'
      ? `fetch of Node ${process.versions.node}`
      : versioned('node/package.json', `"${library}"`, library)
  return {
    name: variant === undefined ? name : `${name} with ${variant}`,
    folder: 'node',
    command: ['node', 'forms.mjs', library, variant ?? ''],
    streams,
    ordersFields: true,
  }
}

function fromPyPI(library: string, streams: boolean): FormClient {
  return {
    name: versioned('python/requirements.txt', library),
    folder: 'python',
    command: ['python3', 'forms.py', library],
    env: PYTHON,
    streams,
    ordersFields: true,
  }
}

/** @param mode its HttpMultipartMode. */
function fromMaven(shown: string, artifact: string, mode?: string): FormClient {
  const name = versioned('java/pom.xml', artifact, shown)
  return {
    name: mode === undefined ? name : `${name} in mode ${mode}`,
    folder: 'java',
    command: [...JAVA, 'Forms', artifact, mode ?? ''],
    streams: true,
    ordersFields: true,
  }
}

function curl(form: string, streams = false, ordersFields = true): FormClient {
  return { name: `${CURL}, ${form}`, folder: 'curl', command: ['node', 'forms.mjs', form], streams, ordersFields }
}

export const FORM_CLIENTS: readonly FormClient[] = [
  fromNpm('needle', false),
  fromNpm('axios', true, 'form-data'),
  fromNpm('axios', false, 'FormData'),
  fromNpm('axios', false, 'postForm'),
  fromNpm('got', false, 'form-data'),
  fromNpm('got', false, 'FormData'),
  fromNpm('request', false),
  fromNpm('superagent', false),
  fromNpm('fetch', false),
  fromPyPI('requests', false),
  fromPyPI('httpx', true),
  fromPyPI('aiohttp', false),
  fromMaven('Apache HttpClient', 'httpclient5', 'STRICT'),
  fromMaven('Apache HttpClient', 'httpclient5', 'EXTENDED'),
  fromMaven('Apache HttpClient', 'httpclient5', 'LEGACY'),
  fromMaven('Apache HttpClient', 'httpmime'),
  fromMaven('OkHttp', 'okhttp'),
  { name: GO, folder: 'go', command: ['./forms'], streams: true, ordersFields: true },
  curl('plain'),
  curl('filename'),
  curl('type'),
  curl('stdin', true),
  curl('expect'),
  curl('data-binary', false, false),
  curl('HTTP/1.0'),
]
