import type {
  FormatStep,
  ImportStep,
  LinkStep,
  RecoveryStep,
  RejectionStep,
  Step,
  SyncMode,
} from '../../server/disk/environment.ts'
import type { FolderStep } from '../../server/disk/finished-folders.ts'
import type { Random } from '../support/random.ts'

/** One run of the program. */
export interface Run {
  readonly sync: SyncMode
  readonly hasSlowDisk: boolean
  /** Whether stale uploads are removed during the run. */
  readonly sweeps: boolean
  readonly kill: Kill
}

/** How a run of the program ends. */
export type Kill =
  /** From outside, while bodies are in flight. */
  | { readonly at: 'body' }
  /** From inside, this many milliseconds after its start. */
  | { readonly at: 'start'; readonly after: number }
  /** From outside, at the given call to a bucket, or when it has been answered. */
  | { readonly at: 'call'; readonly count: number; readonly isAnswered: boolean }
  /** From inside, at the given occurrence of a step. */
  | { readonly at: LoadStep; readonly count: number }

/** A step that occurs under load; those of recovery, of rejected files, of folders, of formats, of copies, and of imports do not. */
export type LoadStep = Exclude<Step, FolderStep | FormatStep | ImportStep | LinkStep | RecoveryStep | RejectionStep>

/** The approximate minimum occurrences of each step per run: a stop is set at one of them. */
const STEPS: Readonly<Record<LoadStep, number>> = {
  'create:bytes': 10,
  'create:record': 10,
  'whole:bytes': 2,
  'whole:record': 2,
  'whole:folder': 2,
  'whole:renamed': 2,
  'whole:directories': 2,
  'write:returned': 80,
  'journal:created': 8,
  'journal:appended': 25,
  'record:replaced': 25,
  'finish:synced': 8,
  'finish:folder': 8,
  'finish:renamed': 8,
  'finish:directories': 8,
  'finish:done': 8,
  'takeover:joined': 3,
  'takeover:marked': 3,
  'takeover:renamed': 3,
  'release:marked': 6,
  'release:bytes': 6,
  'release:done': 6,
  'remove:tombstone': 3,
  'remove:bytes': 3,
  'remove:record': 3,
  'remove:done': 3,
  'expire:tombstone': 3,
  'expire:bytes': 3,
  'expire:record': 3,
  'expire:done': 3,
  'outbox:written': 20,
  'outbox:synced': 8,
  'outbox:marked': 8,
  'outbox:compacted': 1,
}

/** How many kills a plan has. */
export interface Amounts {
  readonly atEachStep: number
  readonly inBodies: number
  readonly atStarts: number
  /** Only where uploads are in a bucket: kills at calls, each of the first so many after a start. */
  readonly atCalls?: { readonly kills: number; readonly among: number }
  /** The share of the occurrences of a step in a run, among which its stop is. By default, 1. */
  readonly depth?: number
  /** After how many kills the ledger is compared with a recount. */
  readonly compareEvery: number
}

const NO_CALLS = { kills: 0, among: 0 } as const
/** With SYNC=always, every byte counts by a journal entry, also those of a stream. */
const JOURNAL_KILLS_SYNCED = 2
/** On a slow disk: a completed write does not imply that earlier ones are complete, unless they were awaited. */
const STREAM_KILLS_SLOW = 4
/** One run in this many sweeps, in addition to those that wait for a step of a sweep. */
const SWEEPS_ONCE_IN = 4

/** Kills at each step, some while the program starts, and the others in bodies, in any order. */
export function planRuns(amounts: Amounts, random: Random): Run[] {
  const { atEachStep, inBodies, atStarts, atCalls = NO_CALLS, depth = 1 } = amounts
  const kills = [
    ...stepNames().flatMap((step) => many(atEachStep, () => atStep(step, depth, random))),
    ...many(inBodies, (): Kill => ({ at: 'body' })),
    ...many(atCalls.kills, (): Kill => {
      return { at: 'call', count: random.whole(1, atCalls.among), isAnswered: random.chance(0.5) }
    }),
    ...many(atStarts, (): Kill => ({ at: 'start', after: random.whole(1, 25) })),
  ]
  const runs = kills.map((kill, i) => ({
    kill,
    sync: syncOf(kill, i),
    hasSlowDisk: random.chance(kill.at === 'body' ? 0.6 : 0.3),
    sweeps: kill.at.startsWith('expire:') || random.chance(1 / SWEEPS_ONCE_IN),
  }))
  const journalRuns = many(extraKills('journal:appended', atEachStep), (): Run => {
    return { kill: atStep('journal:appended', depth, random), sync: 'always', hasSlowDisk: false, sweeps: false }
  })
  const streamRuns = many(extraKills('write:returned', atEachStep), (): Run => {
    const count = random.whole(10, Math.max(10, Math.ceil(STEPS['write:returned'] * depth)))
    return { kill: { at: 'write:returned', count }, sync: 'finish', hasSlowDisk: true, sweeps: false }
  })
  return random.shuffled([...runs, ...journalRuns, ...streamRuns])
}

/** The same run, with a stop at the first occurrence of its step. */
export function sooner(run: Run): Run {
  return 'count' in run.kill ? { ...run, kill: { ...run.kill, count: 1 } } : run
}

function atStep(step: LoadStep, depth: number, random: Random): Kill {
  return { at: step, count: random.whole(1, Math.ceil(STEPS[step] * depth)) }
}

/** Some runs sync more or less than by default. */
function syncOf(kill: Kill, i: number): SyncMode {
  if (i % 9 === 4) return 'always'
  return i % 9 === 8 && kill.at !== 'outbox:synced' ? 'never' : 'finish'
}

function many<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}

/** The number of additional kills of a plan at a step. */
export function extraKills(step: LoadStep, atEachStep: number): number {
  if (atEachStep === 0) return 0
  if (step === 'journal:appended') return JOURNAL_KILLS_SYNCED
  return step === 'write:returned' ? STREAM_KILLS_SLOW : 0
}

export function stepNames(): LoadStep[] {
  return Object.keys(STEPS).filter(isStep)
}

function isStep(name: string): name is LoadStep {
  return name in STEPS
}
