import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Layout } from '../../server/disk/layout.ts'
import { type Program, startProgram } from '../support/program.ts'
import type { Random } from '../support/random.ts'
import { Client, NoAnswer } from './client.ts'
import { checkLeftovers } from './disk-checks.ts'
import type { Kill, Run } from './kills.ts'
import { checkLedger } from './ledger-check.ts'
import { type UploadModel, Violation } from './model.ts'
import { checkPromises } from './promise-checks.ts'
import { EXPIRES_AFTER, Sweeps } from './sweeps.ts'
import type { Tally } from './tally.ts'
import { Load } from './workload.ts'

const PROGRAM = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
/** Maximum wait for a stop, in milliseconds. */
const LONGEST_ROUND = 8_000

/** One data directory through all the kills: start, check, load, kill, and again. */
export class Rounds {
  readonly #dataDir: string
  readonly #layout: Layout
  readonly #random: Random
  readonly #tally: Tally
  readonly #load: Load
  readonly #sweeps = new Sweeps()

  constructor(dataDir: string, random: Random, seed: number, tally: Tally) {
    this.#dataDir = dataDir
    this.#layout = new Layout(dataDir)
    this.#random = random
    this.#tally = tally
    this.#load = new Load(random, seed)
  }

  get uploads(): readonly UploadModel[] {
    return this.#load.uploads
  }

  /**
   * Starts the program, checks all promises, and puts it under load until it is killed.
   *
   * @returns whether it was killed as planned; otherwise the stop did not occur in time.
   * @throws Violation
   */
  async round(run: Run): Promise<boolean> {
    const { kill, sweeps } = run
    this.#sweeps.begin(sweeps)
    this.#tally.noteStart()
    const program = await this.#start(run)
    if (program === undefined) {
      this.#sweeps.end()
      this.#tally.noteKill(kill, { requests: 0, bodies: 0 })
      return true
    }
    const client = new Client(program.url, this.#sweeps)
    let hasCome = true
    try {
      hasCome = await this.#checkAndLoad(program, client, kill)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      await expectEnd(program, kill)
    } finally {
      await program.end('SIGKILL')
      this.#sweeps.end()
      client.close()
    }
    if (hasCome) this.#tally.noteKill(kill, { requests: client.unanswered, bodies: client.bodiesCut })
    else this.#tally.noteMissed()
    return hasCome
  }

  async #checkAndLoad(program: Program, client: Client, kill: Kill): Promise<boolean> {
    const alive = (): boolean => isAlive(program)
    await checkPromises(this.#load.uploads, { layout: this.#layout, client, alive, isLast: false })
    const work = this.#load.run(client)
    const enough = kill.at === 'body' ? this.#whenBodiesAreInFlight(client, alive) : whenOver(alive)
    const isCut = await Promise.race([work.then(() => true), enough])
    if (isCut) await expectEnd(program, kill)
    const hasCome = kill.at === 'body' || !isAlive(program)
    await program.end('SIGKILL')
    await work
    return hasCome
  }

  /** Finishes every upload, and compares all of them, and what they are charged. @throws Violation, NoAnswer */
  async last(): Promise<void> {
    const { uploads } = this.#load
    this.#sweeps.begin(false)
    this.#tally.noteStart()
    const program = await startProgram({ DATA_DIR: this.#dataDir }, PROGRAM)
    const client = new Client(program.url, this.#sweeps)
    try {
      const checking = { layout: this.#layout, client, alive: () => isAlive(program) }
      await checkPromises(uploads, { ...checking, isLast: false })
      await this.#load.finishAll(client)
      await checkPromises(uploads, { ...checking, isLast: true })
      // Final uploads that were never created, because a part was gone before.
      const unknown = uploads.filter(({ nature, path }) => nature.kind === 'final' && path === undefined)
      const isDue = (upload: UploadModel): boolean => upload.nature.kind !== 'part' && !unknown.includes(upload)
      uploads.find((upload) => upload.isOpen && isDue(upload))?.broken('did not finish')
      await checkLeftovers(uploads, this.#load.unansweredCreations + unknown.length, this.#layout)
    } finally {
      client.close()
      await program.end('SIGTERM')
    }
    await checkLedger(this.#layout)
  }

  /** @returns `undefined` if it was killed before it listened. */
  async #start({ kill, sync, hasSlowDisk, sweeps }: Run): Promise<Program | undefined> {
    const settings = {
      DATA_DIR: this.#dataDir,
      SYNC: sync,
      SLOW_DISK: hasSlowDisk ? 'yes' : 'no',
      ...(sweeps ? { EXPIRES_AFTER: String(EXPIRES_AFTER) } : {}),
      ...stopOf(kill),
    }
    try {
      return await startProgram(settings, PROGRAM)
    } catch (error) {
      // Without an exit code, a signal ended it: that of the stop.
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

/** Waits until the program has exited, or has run for too long. */
async function whenOver(alive: () => boolean): Promise<false> {
  for (let waited = 0; alive() && waited < LONGEST_ROUND; waited += 20) await pause(20)
  return false
}

/** A connection ended without a response: only the end of the program may cause that. */
async function expectEnd(program: Program, kill: Kill): Promise<void> {
  for (let waited = 0; isAlive(program); waited += 5) {
    if (waited > 1_000) throw new Violation(`A request got no answer while the program ran on (until ${kill.at})`)
    await pause(5)
  }
}

function isAlive({ process }: Program): boolean {
  return process.exitCode === null && process.signalCode === null
}
