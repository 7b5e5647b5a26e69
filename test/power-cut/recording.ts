import { randomUUID } from 'node:crypto'
import { appendFile, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { SyncMode } from '../../server/disk/environment.ts'
import { memoryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { Random } from '../support/random.ts'
import { type History, historyOf } from './history.ts'
import { type Line, parseLog } from './recorder-log.ts'
import { Load, type SentFile } from './workload.ts'

const PRELOAD = new URL('../support/record-disk.mjs', import.meta.url).href

/** Where new files are. */
const FOLDER = '{yyyy}/{mm}/{owner}'

/** The operations of clients on the program, and those of the program on its data directory. */
export interface Recording {
  readonly sync: SyncMode
  readonly files: readonly SentFile[]
  readonly lines: readonly Line[]
  readonly history: History
}

/** A host with a data directory, on which the program runs repeatedly. */
export class Machine {
  /** The parent of the data directory. */
  readonly folder: string
  readonly dataDir: string
  readonly #log: string
  readonly #dispose: () => Promise<void>
  #boot: string = randomUUID()
  #program: Program | undefined

  private constructor(folder: string, dispose: () => Promise<void>) {
    this.folder = folder
    this.#dispose = dispose
    this.dataDir = path.join(folder, 'data')
    this.#log = path.join(folder, 'log')
  }

  static async make(): Promise<Machine> {
    const folder = await memoryFolder()
    return new Machine(folder.path, folder.dispose)
  }

  /** Restarts the program, recorded. @param main another script to run instead. @returns its URL. */
  async start(settings: Readonly<Record<string, string>>, main?: string): Promise<string> {
    await this.stop('SIGTERM')
    const recorded = {
      DATA_DIR: this.dataDir,
      RECORD_TO: this.#log,
      BOOT_ID: this.#boot,
      NODE_OPTIONS: `--import ${PRELOAD}`,
    }
    this.#program = await startProgram({ DRAIN: '1', ...recorded, ...settings }, main)
    return this.#program.url
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#program?.end(signal)
  }

  /** Shuts down properly: everything is written to disk. */
  async reboot(): Promise<void> {
    await this.stop('SIGTERM')
    await appendFile(this.#log, '{"at":"reboot"}\n')
    this.#boot = randomUUID()
  }

  async recording(sync: SyncMode, files: readonly SentFile[]): Promise<Recording> {
    const lines = parseLog(await readFile(this.#log, 'utf8'))
    return { sync, files, lines, history: historyOf(lines, this.folder) }
  }

  async dispose(): Promise<void> {
    await this.stop('SIGKILL')
    await this.#dispose()
  }
}

/**
 * Runs clients against the program; halfway, it is restarted, perhaps after a reboot.
 *
 * @param machine a new host.
 */
export async function recordLoad(machine: Machine, sync: SyncMode, seed: number): Promise<Recording> {
  const random = new Random(seed)
  // Otherwise, unfinished uploads would fall back, and no client could continue at its offset.
  const reboots = sync === 'always' && random.chance(0.5)
  const halfway = meeting(async () => {
    if (reboots) await machine.reboot()
    return machine.start({ SYNC: sync, FOLDER: random.chance(0.5) ? FOLDER : '' })
  })
  const load = new Load(random, seed, halfway.wait)
  halfway.expect(load.clients.length)
  await load.run(await machine.start({ SYNC: sync, FOLDER }))
  await machine.stop('SIGTERM')
  return machine.recording(sync, load.files)
}

/** A barrier: when all have arrived, `then` runs, and all continue. */
function meeting<T>(then: () => Promise<T>): { expect(count: number): void; wait(): Promise<T> } {
  let missing = 0
  let arrived: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    arrived = resolve
  }).then(then)
  return {
    expect: (count) => {
      missing = count
    },
    wait: () => {
      missing -= 1
      if (missing === 0) arrived()
      return done
    },
  }
}
