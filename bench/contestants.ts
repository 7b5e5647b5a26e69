import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { newRecord } from '../server/core/record.ts'
import { bootId } from '../server/disk/boot-id.ts'
import { DiskStore } from '../server/disk/disk-store.ts'
import { LONGEST_PIECE, patternAt } from './client/pattern.ts'
import { upload } from './client/tus.ts'
import { NGINX_ROOT, nginxConfig } from './nginx-config.ts'
import { findProgram, outputOf } from './programs.ts'
import type { Command, ServerProcess } from './server-process.ts'
import { GIB, MIB } from './sizes.ts'

/**
 * The abilities of a server: tus uploads, many at once, HEAD, very many unfinished ones, WebUploader uploads, downloads
 * of a file and of ranges, a start, and a start on very many unfinished uploads.
 */
export type Ability =
  | 'tus'
  | 'crowd'
  | 'unfinished'
  | 'webuploader'
  | 'download'
  | 'ranges'
  | 'start'
  | 'unfinished start'

/** How a server is found and started. */
interface Peer {
  readonly name: string
  /** Its settings, for the results. */
  readonly settings: string
  readonly can: readonly Ability[]
  /** @returns undefined if it is not installed. */
  find(): Promise<Found | undefined>
  /** Stores a file of the pattern's bytes for download. @returns its URL path. */
  place(server: ServerProcess, size: number): Promise<string>
  /** Fills a directory with unfinished uploads before the start. @throws Error for a server without that ability. */
  fill(folder: string, count: number): Promise<void>
}

interface Found {
  readonly version: string
  command(port: number, folder: string): Promise<Command>
}

/** An installed server. */
export type Contestant = Omit<Peer, 'find'> & Found

/** The project's directory, from `dist/bench`. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/** As in `npm start` and in the image. */
export const V8_FLAGS = ['--max-semi-space-size=8', '--min-semi-space-size=4', '--initial-old-space-size=64']
export const MALLOC = { MALLOC_TRIM_THRESHOLD_: '33554432', MALLOC_TOP_PAD_: '1048576' }
/** The bench is one address that creates more uploads than any page. */
export const UNLIMITED = { CREATIONS_PER_MINUTE: '0', QUOTA_UNFINISHED: '0' }

const EVERYTHING: readonly Ability[] = [
  ...(['tus', 'crowd', 'unfinished', 'webuploader', 'download', 'ranges', 'start', 'unfinished start'] as const),
]
const TUS_AND_FILES: readonly Ability[] = ['tus', 'crowd', 'download', 'ranges', 'start']

const peers: readonly Peer[] = [
  landfall('Landfall', 'never', EVERYTHING),
  landfall('Landfall, SYNC=finish', 'finish', ['tus', 'unfinished', 'webuploader']),
  landfall('Landfall, SYNC=always', 'always', ['tus', 'webuploader']),
  {
    name: '@tus/server',
    settings: 'with @tus/file-store',
    // Its downloads do not support ranges.
    can: ['tus', 'crowd', 'unfinished', 'download', 'start', 'unfinished start'],
    find: async () => {
      const manifest = resolved('@tus/server')
      if (manifest === undefined) return undefined
      return { version: await versionIn(manifest), command: nodePeer('tus-server.mjs') }
    },
    place: placeByTus,
    fill: fillFileStore,
  },
  {
    name: 'bare Node',
    settings: 'each request piped into a file',
    can: TUS_AND_FILES,
    find: async () => ({ version: process.versions.node, command: nodePeer('bare-node.mjs') }),
    place: placeByTus,
    fill: fillNothing,
  },
  {
    name: 'tusd',
    settings: 'quiet',
    can: [...TUS_AND_FILES, 'unfinished'],
    find: async () => {
      const program = await findProgram('TUSD', 'tusd')
      if (program === undefined) return undefined
      // Built as a Go module, tusd does not know its version.
      const reported = /^Version: v?(\d\S*)/m.exec((await outputOf(program, ['-version'])) ?? '')?.[1]
      return {
        version: reported ?? process.env['TUSD_VERSION'] ?? 'unknown',
        command: async (port, folder) => ({
          program,
          args: [
            ...['-host', '127.0.0.1', '-port', String(port), '-upload-dir', folder, '-base-path', '/files/'],
            ...['-verbose=false', '-show-startup-logs=false', '-show-greeting=false'],
          ],
        }),
      }
    },
    place: placeByTus,
    fill: fillNothing,
  },
  {
    name: 'rustus',
    settings: 'quiet, bodies of any size',
    can: [...TUS_AND_FILES, 'unfinished'],
    find: async () => {
      const program = await findProgram('RUSTUS', 'rustus')
      if (program === undefined) return undefined
      return {
        version: /\d+\.\d+\S*/.exec((await outputOf(program, ['--version'])) ?? '')?.[0] ?? 'unknown',
        command: async (port, folder) => ({
          program,
          args: [
            ...['--host', '127.0.0.1', '--port', String(port), '--data-dir', folder, '--info-dir', folder],
            ...['--log-level', 'ERROR', '--max-body-size', String(16 * GIB)],
          ],
        }),
      }
    },
    place: placeByTus,
    fill: fillNothing,
  },
  {
    name: 'Flask',
    settings: 'chunks saved, then merged; threaded',
    can: ['webuploader', 'start'],
    find: async () => {
      const program = await findProgram('PYTHON', 'python3')
      if (program === undefined) return undefined
      const version = await outputOf(program, ['-c', 'import importlib.metadata as m; print(m.version("flask"))'])
      if (version === undefined) return undefined
      return {
        version,
        command: async (port, folder) => ({ program, args: [script('flask_merge.py'), String(port), folder] }),
      }
    },
    place: () => Promise.reject(new Error('The bench requests no downloads from Flask.')),
    fill: fillNothing,
  },
  {
    name: 'nginx',
    settings: 'sendfile, 1 worker',
    can: ['download', 'ranges', 'start'],
    find: async () => {
      const program = await findProgram('NGINX', 'nginx', ['/usr/sbin/nginx'])
      if (program === undefined) return undefined
      return {
        version: /nginx\/(\S+)/.exec((await outputOf(program, ['-v'])) ?? '')?.[1] ?? 'unknown',
        command: async (port, folder) => {
          const config = path.join(folder, 'nginx.conf')
          await mkdir(path.join(folder, NGINX_ROOT))
          await writeFile(config, nginxConfig(port, folder))
          return { program, args: ['-p', folder, '-e', 'stderr', '-c', config] }
        },
      }
    },
    place: placeAsFile,
    fill: fillNothing,
  },
]

/**
 * The installed servers, and the names of the others.
 *
 * @param only parts of names that select servers; empty for all.
 * @throws Error when an environment variable does not name an executable program.
 */
export async function findContestants(only: readonly string[]): Promise<{
  readonly contestants: readonly Contestant[]
  readonly absent: readonly string[]
}> {
  const wanted = peers.filter(({ name }) => isNamed(name, only))
  const contestants: Contestant[] = []
  const absent: string[] = []
  for (const { find, ...peer } of wanted) {
    const found = await find()
    if (found === undefined) absent.push(peer.name)
    else contestants.push({ ...peer, ...found })
  }
  return { contestants, absent }
}

/** Whether `name` contains one of `parts`, ignoring case; true without parts. */
export function isNamed(name: string, parts: readonly string[]): boolean {
  return parts.length === 0 || parts.some((part) => name.toLowerCase().includes(part.toLowerCase()))
}

function landfall(name: string, sync: string, can: readonly Ability[]): Peer {
  return {
    name,
    settings: `SYNC=${sync}, LOG_LEVEL=warn, MALLOC_* as in npm start, node ${V8_FLAGS.join(' ')}`,
    can,
    find: async () => ({
      version: await versionIn(path.join(PROJECT, 'package.json')),
      command: async (port, folder) => ({
        program: process.execPath,
        args: [...V8_FLAGS, path.join(PROJECT, 'dist/program/main.js')],
        environment: { ...MALLOC, ...UNLIMITED, PORT: String(port), DATA_DIR: folder, SYNC: sync, LOG_LEVEL: 'warn' },
      }),
    }),
    place: placeByTus,
    fill: fillLandfall,
  }
}

function nodePeer(name: string): Found['command'] {
  return async (port, folder) => ({ program: process.execPath, args: [script(name), String(port), folder] })
}

function script(name: string): string {
  return path.join(PROJECT, 'bench/peers', name)
}

/** The path of an installed package's package.json. */
function resolved(name: string): string | undefined {
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve(name)), '../package.json')
  } catch {
    return undefined
  }
}

async function versionIn(manifest: string): Promise<string> {
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(manifest, 'utf8'))).version
}

function placeByTus(server: ServerProcess, size: number): Promise<string> {
  // In several requests, because some servers buffer a whole body, and may keep that memory during the download.
  return upload(server.port, size, 16 * MIB)
}

async function placeAsFile(server: ServerProcess, size: number): Promise<string> {
  const file = await open(path.join(server.folder, NGINX_ROOT, 'file.bin'), 'w')
  for (let at = 0; at < size; at += LONGEST_PIECE) await file.write(patternAt(at, Math.min(LONGEST_PIECE, size - at)))
  await file.close()
  return '/file.bin'
}

async function fillLandfall(folder: string, count: number): Promise<void> {
  const store = await DiskStore.open({ directory: folder, sync: 'never', boot: bootId(), onNotice: () => undefined })
  await inParallel(count, async () => {
    const upload = await store.create(newRecord({ length: 2_000, metadata: {} }))
    await upload.close()
  })
  await store.close()
}

async function fillFileStore(folder: string, count: number): Promise<void> {
  await inParallel(count, async () => {
    const { id } = newRecord({ length: 2_000, metadata: {} })
    await writeFile(path.join(folder, id), '')
    await writeFile(path.join(folder, `${id}.json`), JSON.stringify({ id, size: 2_000, offset: 0, metadata: {} }))
  })
}

function fillNothing(): Promise<void> {
  return Promise.reject(new Error('This server has no benchmark that starts on a directory with uploads.'))
}

async function inParallel(count: number, work: () => Promise<void>): Promise<void> {
  let begun = 0
  const lane = async (): Promise<void> => {
    while (begun++ < count) await work()
  }
  await Promise.all(Array.from({ length: 16 }, lane))
}
