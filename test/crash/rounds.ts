import { stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ifThere } from '../../server/disk/files.ts'
import { Layout } from '../../server/disk/layout.ts'
import { MIB } from '../support/bytes.ts'
import { type Program, startProgram } from '../support/program.ts'
import type { Random } from '../support/random.ts'
import { all } from './all-settled.ts'
import { Client, type Headers, NoAnswer } from './client.ts'
import { checkEvents } from './event-checks.ts'
import type { EventReceiver } from './event-receiver.ts'
import { FileMaker } from './file-maker.ts'
import type { Kill, Run } from './kills.ts'
import { type UploadModel, Violation } from './model.ts'
import { checkHidden, JWT_SETTINGS } from './owners.ts'
import { checkPromises } from './promise-checks.ts'
import { sumsOf } from './recount.ts'
import type { Storage } from './storage.ts'
import { EXPIRES_AFTER, Sweeps } from './sweeps.ts'
import type { Tally } from './tally.ts'
import { Load } from './workload.ts'

const PROGRAM = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
/** Maximum wait for a stop, in milliseconds of pauses: on a busy host, a round needs more time. */
const LONGEST_ROUND = 8_000
/** The idle timeout would end the bodies that stall, in milliseconds. */
const LATEST_END = 40_000
/** Maximum wait for a recount of the program, in milliseconds. */
const LONGEST_RECOUNT = 30_000
/** Where files of owners are, in most runs. */
const FOLDER = '{yyyy}/{mm}/{owner}'
/** How much more an owner may have than at the last comparison, at most: bytes, and unfinished uploads. */
const MOST_ROOM = { bytes: 8 * MIB, unfinished: 6 }

/** One storage through all the kills: start, check, load, kill, and again. */
export class Rounds {
  readonly #dataDir: string
  readonly #layout: Layout
  readonly #storage: Storage
  readonly #random: Random
  readonly #tally: Tally
  /** The credentials of each client, and its uploads. */
  readonly #parties: readonly { readonly credentials: Headers; readonly load: Load }[]
  readonly #hasOwners: boolean
  readonly #receiver: EventReceiver
  readonly #sweeps = new Sweeps()
  /** What the owner with the most had at the last comparison. */
  #used = { bytes: 0, unfinished: 0 }

  /**
   * @param dataDir of all the programs.
   * @param credentials of each client; without any, one client has none.
   * @param receiver of all webhooks.
   */
  constructor(
    dataDir: string,
    storage: Storage,
    random: Random,
    seed: number,
    tally: Tally,
    credentials: readonly Headers[],
    receiver: EventReceiver,
  ) {
    this.#receiver = receiver
    this.#dataDir = dataDir
    this.#layout = new Layout(dataDir)
    this.#storage = storage
    this.#random = random
    this.#tally = tally
    this.#hasOwners = credentials.length > 0
    const own = this.#hasOwners ? credentials : [{}]
    this.#parties = own.map((headers, i) => {
      const files = new FileMaker(seed, seed + i)
      return { credentials: headers, load: new Load(random, files, 1 / own.length) }
    })
  }

  get uploads(): readonly UploadModel[] {
    return this.#groups.flat()
  }

  /** The uploads of each client. */
  get #groups(): readonly (readonly UploadModel[])[] {
    return this.#parties.map(({ load }) => load.uploads)
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
    const clients = this.#clientsOf(program)
    let hasCome = true
    try {
      hasCome = await this.#checkAndLoad(program, clients, kill)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw withLog(error, program)
      await expectEnd(program, kill)
    } finally {
      await program.end('SIGKILL')
      this.#end(clients)
    }
    const sum = (count: (client: Client) => number): number => clients.reduce((all, one) => all + count(one), 0)
    const cutOff = { requests: sum(({ unanswered }) => unanswered), bodies: sum(({ bodiesCut }) => bodiesCut) }
    if (hasCome) this.#tally.noteKill(kill, cutOff)
    else this.#tally.noteMissed()
    return hasCome
  }

  /**
   * Starts the program after a kill, puts it under load while it counts its uploads, and stops it in order, with
   * requests in flight.
   *
   * @throws Violation unless its totals are then equal to a recount.
   */
  async compare(): Promise<void> {
    this.#sweeps.begin(this.#random.chance(0.3))
    this.#tally.noteStart()
    const begun = Date.now()
    const program = await startProgram(
      { ...this.#settings(), ...this.#quotas(), SYNC: this.#random.chance(0.5) ? 'never' : 'finish', DRAIN: '0' },
      PROGRAM,
    )
    const clients = this.#clientsOf(program)
    try {
      const work = this.#work(clients)
      await Promise.race([work, this.#whenCounted(begun)])
      await pause(this.#random.whole(50, 500))
      const code = await program.end('SIGTERM')
      await work
      if (code !== 0) throw new Violation(`The program ended with ${code}: ${program.errors()}`)
    } finally {
      await program.end('SIGKILL')
      this.#end(clients)
    }
    await this.#checkLedger()
  }

  /** The totals are kept as soon as a recount has ended. */
  async #whenCounted(begun: number): Promise<void> {
    for (let waited = 0; waited < LONGEST_RECOUNT; waited += 5) {
      const stats = await ifThere(() => stat(this.#layout.usage))
      if (stats !== undefined && stats.mtimeMs > begun) return
      await pause(5)
    }
    throw new Violation('The program does not finish counting its uploads')
  }

  async #checkLedger(): Promise<void> {
    const { checkLedger } = this.#storage
    if (checkLedger === undefined) return
    const counted = await checkLedger(this.#groups)
    const costs = [...sumsOf(counted).accounts.values()]
    this.#used = {
      bytes: Math.max(0, ...costs.map(({ bytes }) => bytes)),
      unfinished: Math.max(0, ...costs.map(({ unfinished }) => unfinished)),
    }
    this.#tally.noteComparison()
  }

  /** Lets all clients work until the program no longer responds. */
  async #work(clients: readonly Client[]): Promise<void> {
    await all(this.#parties.map(({ load }, i) => load.run(at(clients, i))))
  }

  #clientsOf(program: Program): readonly Client[] {
    return this.#parties.map(({ credentials }) => new Client(program.url, this.#sweeps, credentials))
  }

  #end(clients: readonly Client[]): void {
    this.#sweeps.end()
    for (const client of clients) {
      client.close()
      this.#tally.noteOverQuota(client.overQuota)
    }
  }

  async #checkPromises(program: Program, clients: readonly Client[], isLast: boolean): Promise<void> {
    const alive = (): boolean => isAlive(program)
    await this.#storage.checkAtStart(this.uploads)
    for (const [i, { load }] of this.#parties.entries()) {
      await checkPromises(load.uploads, { storage: this.#storage, client: at(clients, i), alive, isLast })
    }
    if (!this.#hasOwners) return
    for (const [i, { load }] of this.#parties.entries()) {
      for (const stranger of clients.toSpliced(i, 1)) await checkHidden(load.uploads, stranger, isLast)
    }
  }

  async #checkAndLoad(program: Program, clients: readonly Client[], kill: Kill): Promise<boolean> {
    const alive = (): boolean => isAlive(program)
    await this.#checkPromises(program, clients, false)
    const work = this.#work(clients)
    const enough = kill.at === 'body' ? this.#whenBodiesAreInFlight(clients, alive) : whenOver(alive)
    const isCut = await Promise.race([work.then(() => true), enough])
    if (isCut) await expectEnd(program, kill)
    const hasCome = kill.at === 'body' || !isAlive(program)
    await program.end('SIGKILL')
    await work
    return hasCome
  }

  /** Finishes every upload, and compares all, their events, and what they are charged. @throws Violation, NoAnswer */
  async last(): Promise<void> {
    this.#sweeps.begin(false)
    this.#tally.noteStart()
    const program = await startProgram(this.#settings(), PROGRAM)
    const clients = this.#clientsOf(program)
    try {
      await this.#checkPromises(program, clients, false)
      for (const [i, { load }] of this.#parties.entries()) await load.finishAll(at(clients, i))
      await this.#checkPromises(program, clients, true)
      const { uploads } = this
      // Final uploads that were never created, because a part was gone before.
      const unknown = uploads.filter(({ nature, path }) => nature.kind === 'final' && path === undefined)
      const isDue = (upload: UploadModel): boolean => upload.nature.kind !== 'part' && !unknown.includes(upload)
      uploads.find((upload) => upload.isOpen && isDue(upload))?.broken('did not finish')
      const unanswered = this.#parties.reduce((sum, { load }) => sum + load.unansweredCreations, 0)
      await this.#storage.checkLeftovers(uploads, unanswered + unknown.length)
      if (this.#storage.events !== undefined) await checkEvents(this.#receiver, this.#storage.events)
    } catch (error) {
      throw withLog(error, program)
    } finally {
      this.#end(clients)
      await program.end('SIGTERM')
    }
    await this.#checkLedger()
  }

  /** @returns `undefined` if it was killed before it listened. */
  async #start({ kill, sync, hasSlowDisk }: Run): Promise<Program | undefined> {
    const settings = {
      ...this.#settings(),
      // Without room, a step may not occur.
      ...(kill.at === 'body' ? this.#quotas() : {}),
      SYNC: sync,
      SLOW_DISK: hasSlowDisk ? 'yes' : 'no',
      ...stopOf(kill),
    }
    try {
      const program = await startProgram(settings, PROGRAM)
      this.#storage.arm(kill, () => program.process.kill('SIGKILL'))
      return program
    } catch (error) {
      // Without an exit code, a signal ended it: that of the stop.
      if (kill.at !== 'body' && error instanceof Error && error.message.startsWith('The program ended with null'))
        return
      throw error
    }
  }

  #settings(): Readonly<Record<string, string>> {
    return {
      DATA_DIR: this.#dataDir,
      ...this.#storage.settings,
      ...(this.#storage.events === undefined ? {} : this.#receiver.settings),
      ...(this.#hasOwners ? { ...JWT_SETTINGS, FOLDER: this.#random.chance(0.7) ? FOLDER : '' } : {}),
      ...(this.#sweeps.areRunning ? { EXPIRES_AFTER: String(EXPIRES_AFTER) } : {}),
    }
  }

  /** Half of the programs limit their owners to a little more than they have. */
  #quotas(): Readonly<Record<string, string>> {
    if (!this.#hasOwners || this.#random.chance(0.5)) return {}
    return {
      QUOTA_BYTES: String(this.#used.bytes + this.#random.whole(1, MOST_ROOM.bytes)),
      QUOTA_UNFINISHED: String(this.#used.unfinished + this.#random.whole(1, MOST_ROOM.unfinished)),
    }
  }

  async #whenBodiesAreInFlight(clients: readonly Client[], alive: () => boolean): Promise<false> {
    await pause(this.#random.whole(30, this.#storage.longestLoad))
    while (clients.reduce((sum, { bodiesInFlight }) => sum + bodiesInFlight, 0) < 2 && alive()) await pause(1)
    return false
  }
}

function at<T>(list: readonly T[], place: number): T {
  const found = list[place]
  if (found === undefined) throw new Error(`There is no ${place}th`)
  return found
}

function stopOf(kill: Kill): Readonly<Record<string, string>> {
  if (kill.at === 'body' || kill.at === 'call') return {}
  if (kill.at === 'start') return { STOP_AFTER: String(kill.after) }
  return { STOP_AT: kill.at, STOP_COUNT: String(kill.count) }
}

/** Waits until the program has exited, or has run for too long. */
async function whenOver(alive: () => boolean): Promise<false> {
  const latest = performance.now() + LATEST_END
  for (let waited = 0; alive() && waited < LONGEST_ROUND && performance.now() < latest; waited += 20) await pause(20)
  return false
}

/** A connection ended without a response: only the end of the program may cause that. */
async function expectEnd(program: Program, kill: Kill): Promise<void> {
  for (let waited = 0; isAlive(program); waited += 5) {
    if (waited > 1_000) throw new Violation(`A request got no answer while the program ran on (until ${kill.at})`)
    await pause(5)
  }
}

/** The cause of an answer that breaks a promise is known to the program only. */
function withLog(error: unknown, program: Program): unknown {
  if (!(error instanceof Violation) || program.errors() === '') return error
  return new Violation(`${error.message}\n${program.errors()}`, { cause: error })
}

function isAlive({ process }: Program): boolean {
  return process.exitCode === null && process.signalCode === null
}
