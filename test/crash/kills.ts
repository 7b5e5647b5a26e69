import type { Step, SyncMode } from '../../server/disk/environment.ts'
import type { Random } from './random.ts'

/** One run of the program. */
export interface Run {
  readonly sync: SyncMode
  readonly hasSlowDisk: boolean
  readonly kill: Kill
}

/** How a run of the program ends. */
export type Kill =
  /** From outside, while bodies are in flight. */
  | { readonly at: 'body' }
  /** From inside, so many milliseconds after it began to start. */
  | { readonly at: 'start'; readonly after: number }
  /** From inside, when a step has come so many times. */
  | { readonly at: LoadStep; readonly count: number }

/** Steps of the mixed load; those of concatenation have a test of their own. */
export type LoadStep = Exclude<Step, `takeover:${string}` | `release:${string}`>

/** How often each step comes in a run at least, about: a stop is set somewhere before that. */
const STEPS: Readonly<Record<LoadStep, number>> = {
  'create:bytes': 12,
  'create:record': 12,
  'write:returned': 80,
  'journal:created': 8,
  'journal:appended': 25,
  'record:replaced': 8,
  'finish:synced': 8,
  'finish:folder': 8,
  'finish:renamed': 8,
  'finish:directories': 8,
  'finish:done': 8,
  'remove:tombstone': 3,
  'remove:bytes': 3,
  'remove:record': 3,
  'remove:done': 3,
}

const BODY_KILLS = 30
const START_KILLS = 4
export const KILLS_PER_STEP = 2
/** With SYNC=always every byte counts by the journal, also those of a stream. */
const JOURNAL_KILLS_SYNCED = 4

/** Kills at each step, several while the program starts, and the others in bodies, in any order. */
export function planRuns(random: Random): Run[] {
  const atSteps = stepNames().flatMap((step) => many(KILLS_PER_STEP, () => atStep(step, random)))
  const inBodies = many(BODY_KILLS, (): Kill => ({ at: 'body' }))
  const atStarts = many(START_KILLS, (): Kill => ({ at: 'start', after: random.whole(1, 25) }))
  const runs = [...atSteps, ...inBodies, ...atStarts].map((kill, i) => ({
    kill,
    sync: i % 9 === 4 ? ('always' as const) : i % 9 === 8 ? ('never' as const) : ('finish' as const),
    hasSlowDisk: random.chance(kill.at === 'body' ? 0.6 : 0.3),
  }))
  const journalRuns = many(
    JOURNAL_KILLS_SYNCED,
    (): Run => ({ kill: atStep('journal:appended', random), sync: 'always', hasSlowDisk: false }),
  )
  return random.shuffled([...runs, ...journalRuns])
}

function atStep(step: LoadStep, random: Random): Kill {
  return { at: step, count: random.whole(1, STEPS[step]) }
}

function many<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}

export function stepNames(): LoadStep[] {
  return Object.keys(STEPS).filter(isStep)
}

function isStep(name: string): name is LoadStep {
  return name in STEPS
}

/** How many times the program was killed, and where. */
export class Tally {
  readonly #at = new Map<Kill['at'], number>()
  #withBodies = 0
  #bodies = 0

  /** @param bodies how many bodies the kill has cut off. */
  note(kill: Kill, bodies: number): void {
    this.#at.set(kill.at, this.at(kill.at) + 1)
    this.#bodies += bodies
    if (bodies > 0) this.#withBodies += 1
  }

  /** Takes the kills of another tally in. */
  add(other: Tally): void {
    for (const [place, count] of other.#at) this.#at.set(place, this.at(place) + count)
    this.#withBodies += other.#withBodies
    this.#bodies += other.#bodies
  }

  at(place: Kill['at']): number {
    return this.#at.get(place) ?? 0
  }

  get all(): number {
    return [...this.#at.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Kills that cut off at least one body. */
  get withBodies(): number {
    return this.#withBodies
  }

  toString(): string {
    const places = [...this.#at].sort().map(([place, count]) => `${place} ${count}`)
    return `${this.all} kills, ${this.#withBodies} of them inside ${this.#bodies} bodies; ${places.join(', ')}`
  }
}
