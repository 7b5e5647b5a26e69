import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Layout } from '../../server/disk/layout.ts'
import { type Program, startProgram } from '../support/program.ts'
import { checkPromises } from './checks.ts'
import { Client, NoAnswer } from './client.ts'
import { checkLeftovers } from './disk-checks.ts'
import { type Kill, type Run, Tally } from './kills.ts'
import { Load } from './load.ts'
import { Violation } from './model.ts'
import type { Random } from './random.ts'

const PROGRAM = fileURLToPath(new URL('program-with-stops.mjs', import.meta.url))
/** How long a stop may take to come, in milliseconds. */
const LONGEST_ROUND = 15_000

/** One data folder through all the kills: start, check, load, kill, and again. */
export class Rounds {
  readonly tally = new Tally()
  readonly #dataDir: string
  readonly #layout: Layout
  readonly #random: Random
  readonly #load: Load

  constructor(dataDir: string, random: Random, seed: number) {
    this.#dataDir = dataDir
    this.#layout = new Layout(dataDir)
    this.#random = random
    this.#load = new Load(random, seed)
  }

  get uploads(): number {
    return this.#load.uploads.length
  }

  /** Starts the program, checks all promises, and loads it until it is killed. @throws Violation */
  async round(run: Run): Promise<void> {
    const { kill } = run
    const program = await this.#start(run)
    if (program === undefined) return this.tally.note(kill, 0)
    const client = new Client(program.url)
    try {
      await this.#checkAndLoad(program, client, kill)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      await expectEnd(program, kill)
    } finally {
      await program.end('SIGKILL')
      client.close()
    }
    this.tally.note(kill, client.bodiesCut)
  }

  async #checkAndLoad(program: Program, client: Client, kill: Kill): Promise<void> {
    const alive = (): boolean => isAlive(program)
    await checkPromises(this.#load.uploads, this.#layout, client, alive)
    const work = this.#load.run(client)
    if (kill.at === 'body') {
      const early = await Promise.race([work.then(() => true), this.#whenBodiesAreInFlight(client, alive)])
      if (early) await expectEnd(program, kill)
      await program.end('SIGKILL')
    } else {
      await Promise.race([work, tooLate(alive, kill)])
    }
    await work
    await expectEnd(program, kill)
  }

  /** Finishes every upload, and compares all of them. @throws Violation, NoAnswer */
  async last(): Promise<void> {
    const { uploads, unansweredCreations } = this.#load
    const program = await startProgram({ DATA_DIR: this.#dataDir }, PROGRAM)
    const client = new Client(program.url)
    try {
      const alive = (): boolean => isAlive(program)
      await checkPromises(uploads, this.#layout, client, alive)
      await this.#load.finishAll(client)
      await checkPromises(uploads, this.#layout, client, alive, true)
      const unfinished = uploads.find((upload) => !upload.finished && upload.removal !== 'done')
      unfinished?.broken('did not finish')
      await checkLeftovers(uploads, unansweredCreations, this.#layout)
    } finally {
      client.close()
      await program.end('SIGTERM')
    }
  }

  /** @returns `undefined` when it was killed before it listened. */
  async #start({ kill, sync, hasSlowDisk }: Run): Promise<Program | undefined> {
    const settings = { DATA_DIR: this.#dataDir, SYNC: sync, SLOW_DISK: hasSlowDisk ? 'yes' : 'no', ...stopOf(kill) }
    try {
      return await startProgram(settings, PROGRAM)
    } catch (error) {
      // Without an exit code: by a signal, which was the stop's.
      if (kill.at !== 'body' && error instanceof Error && error.message.startsWith('The program ended with null'))
        return
      throw error
    }
  }

  async #whenBodiesAreInFlight(client: Client, alive: () => boolean): Promise<false> {
    await pause(this.#random.whole(30, 350))
    while (client.bodiesInFlight < 2 && alive()) await pause(1)
    return false
  }
}

function stopOf(kill: Kill): Readonly<Record<string, string>> {
  if (kill.at === 'body') return {}
  if (kill.at === 'start') return { STOP_AFTER: String(kill.after) }
  return { STOP_AT: kill.at, STOP_COUNT: String(kill.count) }
}

async function tooLate(alive: () => boolean, kill: Kill): Promise<void> {
  for (let waited = 0; alive(); waited += 20) {
    if (waited > LONGEST_ROUND) throw new Violation(`The step ${kill.at} does not come`)
    await pause(20)
  }
}

/** A connection ended without an answer: only the end of the program may do that. */
async function expectEnd(program: Program, kill: Kill): Promise<void> {
  for (let waited = 0; isAlive(program); waited += 5) {
    if (waited > 1_000) throw new Violation(`A request got no answer while the program ran on (until ${kill.at})`)
    await pause(5)
  }
}

function isAlive({ process }: Program): boolean {
  return process.exitCode === null && process.signalCode === null
}
