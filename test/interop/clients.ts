/** The clients that take part, and what each of them can do. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where run.mjs installs them. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/interop/', import.meta.url))

/** A program that does one job, given as JSON in its last argument, in the folder of its toolchain. */
export interface Client {
  /** Its name and version, as in the file that it is installed by. */
  readonly name: string
  readonly folder: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface TusClient extends Client {
  /** Ways to upload beside the plain one, by name. */
  readonly ways: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Whether it tries again by itself when a connection breaks. */
  readonly retries: boolean
  /** Whether it creates a new upload when the one that it remembers is gone. */
  readonly beginsAnew: boolean
  /** What ends it in the middle: a browser must be closed, or it forgets what the page stored last. */
  readonly end: 'SIGKILL' | 'SIGTERM'
}

export interface FormClient extends Client {
  /** Whether it can send a file whose length it does not know, so without Content-Length. */
  readonly streams: boolean
  /** Whether its fields can follow the file. */
  readonly ordersFields: boolean
}

/** The folder of a toolchain. */
export function folderOf(client: Client): string {
  return `${CACHE}${client.folder}`
}

/** The name of a package with the version that a manifest gives it. */
function versioned(manifest: string, name: string, shown = name): string {
  const text = readFileSync(new URL(`clients/${manifest}`, import.meta.url), 'utf8')
  const found = new RegExp(`${name}\\W\\D*?(\\d+(\\.\\d+)+)`).exec(text)
  if (found === null) throw new Error(`${manifest} has no ${name}.`)
  return `${shown} ${found[1]}`
}

const CHUNKED = { 'in chunks': { chunkSize: 1_000_000 } }
const OVERRIDDEN = { 'by POST alone': { overridePatchMethod: true, chunkSize: 1_000_000 } }
const WITH_CREATION = { 'with the creation': { uploadDataDuringCreation: true, chunkSize: 1_000_000 } }
const DEFERRED = { 'with the length deferred': { uploadLengthDeferred: true, chunkSize: 1_000_000 } }
const PARALLEL = { 'in parallel': { parallelUploads: 4 } }
const NEWER = { ...CHUNKED, ...OVERRIDDEN, ...WITH_CREATION, ...DEFERRED, ...PARALLEL }

function tusJsClient(major: number, ways: TusClient['ways']): TusClient {
  const alias = `tus-js-client-${major}`
  const name = versioned('node/package.json', alias, 'tus-js-client')
  return { ...REMEMBERS, name, folder: 'node', command: ['node', 'tus.mjs', alias], ways, end: 'SIGKILL' }
}

function uppy(major: number, ways: TusClient['ways']): TusClient {
  const name = versioned(`uppy/uppy-${major}/package.json`, '@uppy/core', 'Uppy')
  return { ...REMEMBERS, name, folder: 'uppy', command: ['node', 'tus.mjs', `uppy-${major}`], ways, end: 'SIGTERM' }
}

const REMEMBERS = { retries: true, beginsAnew: true } as const

export const TUS_CLIENTS: readonly TusClient[] = [
  tusJsClient(1, { ...CHUNKED, ...OVERRIDDEN }),
  tusJsClient(2, NEWER),
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
    env: { PYTHONPATH: 'packages' },
    ways: {
      ...{ 'in chunks': { chunk_size: 1_000_000 } },
      ...{ 'in chunks with checksums': { chunk_size: 1_000_000, upload_checksum: true } },
    },
    retries: true,
    beginsAnew: false,
    end: 'SIGKILL',
  },
  {
    name: versioned('java/pom.xml', 'tus-java-client'),
    folder: 'java',
    command: ['java', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', 'classes:lib/*', 'Tus'],
    ways: CHUNKED,
    retries: true,
    beginsAnew: true,
    end: 'SIGKILL',
  },
  {
    name: versioned('rust/Cargo.toml', 'tus_client'),
    folder: 'rust',
    command: ['../rust-target/debug/tus'],
    ways: { ...CHUNKED, 'by POST alone': { override: true, chunkSize: 1_000_000 } },
    retries: false,
    beginsAnew: false,
    end: 'SIGKILL',
  },
]

const fromNpm = (client: string, manifestName: string, streams: boolean): FormClient => ({
  name: manifestName === '' ? `${client} of Node` : versioned('node/package.json', `"${manifestName}"`, client),
  folder: 'node',
  command: ['node', 'forms.mjs', client],
  streams,
  ordersFields: true,
})

const fromPyPI = (client: string, streams: boolean): FormClient => ({
  name: versioned('python/requirements.txt', client),
  folder: 'python',
  command: ['python3', 'forms.py', client],
  env: { PYTHONPATH: 'packages' },
  streams,
  ordersFields: true,
})

const fromMaven = (client: string, artifact: string): FormClient => ({
  name: versioned('java/pom.xml', artifact, client),
  folder: 'java',
  command: ['java', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', 'classes:lib/*', 'Forms', client],
  streams: true,
  ordersFields: true,
})

const curl = (variant: string, streams = false, ordersFields = true): FormClient => ({
  name: `curl, ${variant}`,
  folder: 'curl',
  command: ['node', 'forms.mjs', variant],
  streams,
  ordersFields,
})

export const FORM_CLIENTS: readonly FormClient[] = [
  fromNpm('needle', 'needle', false),
  fromNpm('axios, form-data', 'axios', true),
  fromNpm('axios, FormData', 'axios', false),
  fromNpm('axios, postForm', 'axios', false),
  fromNpm('got, form-data', 'got', false),
  fromNpm('got, FormData', 'got', false),
  fromNpm('request', 'request', false),
  fromNpm('superagent', 'superagent', false),
  fromNpm('fetch', '', false),
  fromPyPI('requests', false),
  fromPyPI('httpx', true),
  fromPyPI('aiohttp', false),
  fromMaven('httpclient5', 'httpclient5'),
  fromMaven('httpclient5 EXTENDED', 'httpclient5'),
  fromMaven('httpclient5 LEGACY', 'httpclient5'),
  fromMaven('httpclient4', 'httpmime'),
  fromMaven('okhttp', 'okhttp'),
  { name: 'mime/multipart of Go', folder: 'go', command: ['./forms'], streams: true, ordersFields: true },
  curl('plain'),
  curl('filename'),
  curl('type'),
  curl('stdin', true),
  curl('expect'),
  curl('data-binary', false, false),
  curl('HTTP/1.0'),
]
