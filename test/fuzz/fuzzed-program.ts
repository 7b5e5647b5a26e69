import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Layout } from '../../server/disk/layout.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { type Auth, CREDENTIALS, JWT_SETTINGS, STRANGER, TOKEN_KEY } from './access.ts'
import { checkFolder } from './folder-checks.ts'
import {
  type Caller,
  checkHidden,
  checkOnDisk,
  checkOverHttp,
  create,
  createByDraft,
  type Kept,
  makeKept,
  privateTexts,
} from './kept-uploads.ts'
import {
  DRAFT_FINISHED,
  DRAFT_UNFINISHED,
  FINISHED,
  LINK_CODE,
  SCRATCH,
  SHARED,
  UNFINISHED,
} from './placeholder-ids.ts'

/**
 * Maximum wait for descriptors to close after the last client has disconnected, in milliseconds: longer than
 * `IDLE_TIMEOUT`.
 */
const PATIENCE = 20_000
/** After how many runs the uploads that requests may change are created again. */
const RENEW_EVERY = 12
/** After how many runs the uploads that must not change are checked over HTTP. */
const ASK_EVERY = 50

/**
 * The built program on its own directory, and its invariants. With `AUTH=jwt`, the requests come from a stranger to the
 * owner of the uploads that must not change.
 */
export class Stage {
  readonly #auth: Auth
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>
  readonly #dataDir: string
  #program: Program | undefined
  #port = 0
  #kept: Kept | undefined
  #scratch: readonly string[] = []
  #runs = 0
  #descriptors = 0
  #complaints = ''

  private constructor(auth: Auth, folder: Awaited<ReturnType<typeof temporaryFolder>>) {
    this.#auth = auth
    this.#folder = folder
    this.#dataDir = path.join(folder.path, 'data')
  }

  static async open(auth: Auth): Promise<Stage> {
    const stage = new Stage(auth, await temporaryFolder())
    try {
      await stage.prepare()
      return stage
    } catch (error) {
      // The program would keep running, and the test with it.
      await stage.close()
      throw error
    }
  }

  get port(): number {
    return this.#port
  }

  /** Texts that no client may see. */
  get secrets(): readonly string[] {
    return [this.#dataDir, process.cwd()]
  }

  /** Texts that a client may see only if they are its own, or its own request contains them. */
  get privateTexts(): readonly string[] {
    if (this.#auth === 'none' || this.#kept === undefined) return []
    return [...privateTexts(this.#kept), STRANGER.slice(STRANGER.lastIndexOf('.')), JWT_SETTINGS.JWT_SECRET, TOKEN_KEY]
  }

  /** The text with the ids of hidden uploads replaced by unknown ones; `undefined` if it names no hidden upload. */
  withUnknownIds(text: string): string | undefined {
    if (this.#auth === 'none') return undefined
    const hidden = this.#keptIds().filter((id) => text.includes(id))
    if (hidden.length === 0) return undefined
    return hidden.reduce((left, id) => left.replaceAll(id, [...id].reverse().join('')), text)
  }

  /** Text with placeholders replaced by ids. */
  fill(text: string): string {
    let filled = text
    for (const [standIn, id] of [
      [FINISHED, this.#kept?.finished ?? ''],
      [UNFINISHED, this.#kept?.unfinished ?? ''],
      [DRAFT_FINISHED, this.#kept?.draftFinished ?? ''],
      [DRAFT_UNFINISHED, this.#kept?.draftUnfinished ?? ''],
      [SHARED, this.#kept?.shared ?? ''],
      [LINK_CODE, this.#kept?.link.slice(1) ?? ''],
      ...SCRATCH.map((name, i) => [name, this.#scratch[i] ?? ''] as const),
    ] as const) {
      filled = filled.replaceAll(standIn, id)
    }
    return filled
  }

  /**
   * Bytes that may be sent: no request that removes or appends may target an upload that must not change, unless it
   * comes from a stranger.
   */
  spare(text: string): string {
    if (this.#auth === 'jwt') return text
    const [other = ''] = this.#scratch
    const { finished = '', draftFinished = '', shared = '', unfinished = '', draftUnfinished = '' } = this.#kept ?? {}
    const spared = [
      ...(/DELETE/i.test(text) ? [finished, draftFinished, shared] : []),
      ...(/DELETE|PATCH/i.test(text) ? [unfinished, draftUnfinished] : []),
    ]
    return spared.reduce((left, id) => left.replaceAll(id, other), text)
  }

  /** Call it before each run. */
  async prepare(): Promise<void> {
    if (this.#program === undefined) await this.#start()
    if (this.#runs % RENEW_EVERY === 0) await this.#renew()
    this.#runs += 1
  }

  /** Checks the invariants after each run. @throws Error that names the broken one. */
  async check(): Promise<void> {
    this.#expectRunning()
    const complaint = this.#complaint()
    if (complaint !== '') throw new Error(`The program wrote to its standard error: ${complaint}`)
    if (this.#kept === undefined) return
    await checkOnDisk(this.#kept, new Layout(this.#dataDir))
    if (this.#runs % ASK_EVERY === 0) await this.#checkKept(this.#kept)
  }

  /** Call it after a failure. @throws Error with the output of the program if it has ended. */
  async expectAlive(): Promise<void> {
    // The OS reports the end of a process after the end of its connections.
    await pause(200)
    this.#expectRunning()
  }

  /** Checks the invariants after all clients have disconnected. @throws Error */
  async checkAtRest(): Promise<void> {
    if (this.#kept !== undefined) await this.#checkKept(this.#kept)
    for (let waited = 0; (await this.#openDescriptors()).length > this.#descriptors; waited += 50) {
      if (waited > PATIENCE) {
        const open = await this.#openDescriptors()
        throw new Error(`${open.length} descriptors are open, not ${this.#descriptors}: ${open.join(' ')}`)
      }
      await pause(50)
    }
    await checkFolder(this.#dataDir)
    await this.check()
  }

  /** Resident memory of the program in MiB. */
  async resident(): Promise<number> {
    const status = await readFile(`/proc/${this.#running().process.pid}/status`, 'utf8')
    return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024
  }

  async close(): Promise<void> {
    await this.#program?.end('SIGKILL')
    await this.#folder.dispose()
  }

  async #checkKept(kept: Kept): Promise<void> {
    await checkOverHttp(kept, this.#caller('owner'))
    if (this.#auth === 'jwt') await checkHidden(kept, this.#caller('stranger'))
  }

  #caller(who: 'owner' | 'stranger'): Caller {
    return { port: this.#port, headers: CREDENTIALS[this.#auth][who] }
  }

  #keptIds(): readonly string[] {
    if (this.#kept === undefined) return []
    const { finished, unfinished, draftFinished, draftUnfinished, legacy, shared } = this.#kept
    return [finished, unfinished, draftFinished, draftUnfinished, legacy, shared]
  }

  #expectRunning(): void {
    const { process: child } = this.#running()
    if (child.exitCode === null && child.signalCode === null) return
    this.#program = undefined
    throw new Error(`The program has ended with ${child.exitCode ?? child.signalCode}: ${this.#complaint()}`)
  }

  #running(): Program {
    if (this.#program === undefined) throw new Error('The program is not running.')
    return this.#program
  }

  async #start(): Promise<void> {
    const program = await startProgram({
      ...{ DATA_DIR: this.#dataDir, IDLE_TIMEOUT: '3000' },
      ...(this.#auth === 'jwt' ? JWT_SETTINGS : {}),
    })
    this.#program = program
    this.#port = Number(new URL(program.url).port)
    program.process.stderr?.on('data', (text) => {
      this.#complaints += text
    })
    this.#kept ??= await makeKept(this.#caller('owner'))
    await this.#checkKept(this.#kept)
    await pause(100)
    this.#descriptors = (await this.#openDescriptors()).length
  }

  async #renew(): Promise<void> {
    const stranger = this.#caller('stranger')
    const bytes = Buffer.alloc(40)
    const created = [
      await create(stranger, { 'Upload-Length': '4000' }, Buffer.alloc(0)),
      await create(stranger, { 'Upload-Defer-Length': '1' }, Buffer.alloc(0)),
      await create(stranger, { 'Upload-Length': '40', 'Upload-Concat': 'partial' }, bytes),
      await create(stranger, { 'Upload-Length': '40', 'Upload-Concat': 'partial' }, bytes),
      await createByDraft(stranger, false, Buffer.alloc(0)),
      await createByDraft(stranger, false, bytes, { 'Upload-Length': '4000' }),
    ]
    this.#scratch = created
  }

  /** The standard error output since the last call. */
  #complaint(): string {
    const text = this.#complaints
    this.#complaints = ''
    return text.slice(0, 4000)
  }

  async #openDescriptors(): Promise<string[]> {
    return readdir(`/proc/${this.#running().process.pid}/fd`)
  }
}
