import type { Model, Move } from './explore.ts'

/** Nodes that create an upload under one id that is computed from the file, and sweepers that forget its tombstone. */

export interface CreationRules {
  readonly recordIsConditional: boolean
  /** Whether a creator looks for an end after it has written the record. */
  readonly looksAfterRecord: boolean
  /** Whether the tombstone of such an id stays for ever. */
  readonly keepsTombstone: boolean
}

const PROTOCOL: CreationRules = { recordIsConditional: true, looksAfterRecord: true, keepsTombstone: true }

/** `announced`: the upload exists in memory only, until its first bytes arrive. */
type CreatorStage =
  | 'looking'
  | 'looking for record'
  | 'announced'
  | 'created'
  | 'writing'
  | 'finishing'
  | 'cleaning'
  | 'out'
type SweeperStage = 'idle' | 'erasing' | 'forgetting' | 'out'

export interface CreationState {
  readonly creators: readonly CreatorStage[]
  readonly sweepers: readonly SweeperStage[]
  /** Who has written the first record: 1 and on; 0 for none. */
  readonly record: number
  readonly done: 'none' | 'finished' | 'gone'
  /** Whose bytes the file has; 0 for none. */
  readonly file: number
  /** Who has been told that its bytes count. */
  readonly acknowledged: number
  /** Who has been told that its file is finished; 0 again when it deletes it. */
  readonly told: number
  readonly fault?: string
}

export function creationModel(change: Partial<CreationRules> = {}): Model<CreationState> {
  const rules = { ...PROTOCOL, ...change }
  return {
    initial: {
      creators: ['looking', 'looking', 'looking'],
      sweepers: ['idle', 'idle'],
      record: 0,
      done: 'none',
      file: 0,
      acknowledged: 0,
      told: 0,
    },
    moves: (state) => [
      ...state.creators.flatMap((at, i) => movesOfCreator(state, at, i, rules)),
      ...state.sweepers.flatMap((at, i) => movesOfSweeper(state, at, i, rules)),
      ...(state.told > 0 ? [{ step: 'a client deletes the file', state: deleted(state) }] : []),
    ],
    fault: ({ fault, told, done, file }) => {
      if (fault !== undefined) return fault
      return told > 0 && (done !== 'finished' || file !== told) ? 'a finished file is lost' : undefined
    },
  }
}

function deleted(state: CreationState): CreationState {
  return { ...state, told: 0, acknowledged: 0, done: 'gone', file: 0 }
}

function movesOfCreator(
  state: CreationState,
  at: CreatorStage,
  index: number,
  { recordIsConditional, looksAfterRecord }: CreationRules,
): readonly Move<CreationState>[] {
  const me = index + 1
  const to = (
    step: string,
    next: CreatorStage,
    change: Partial<CreationState> = {},
  ): readonly Move<CreationState>[] => [
    { step: `${'ABC'[index]}: ${step}`, state: { ...state, ...change, creators: state.creators.with(index, next) } },
  ]
  const isEnded = state.done !== 'none'
  switch (at) {
    case 'looking':
      return isEnded ? to('finds the end', 'out') : to('finds no end', 'looking for record')
    case 'looking for record':
      return state.record > 0 ? to('finds an upload', 'out') : to('announces the upload', 'announced')
    case 'announced':
      if (state.record > 0 && recordIsConditional) return to('finds a record', 'out')
      return to('writes the record', looksAfterRecord ? 'created' : 'writing', { record: me })
    case 'created':
      return isEnded ? to('takes the record back', 'out', { record: 0 }) : to('finds no end', 'writing')
    case 'writing': {
      const isSecond = isEnded || (state.acknowledged > 0 && state.acknowledged !== me)
      const fault = isSecond ? { fault: 'bytes are acknowledged of two uploads with one id' } : {}
      return to('acknowledges bytes', 'finishing', { acknowledged: me, ...fault })
    }
    case 'finishing':
      if (isEnded) return to('finds the end', 'out')
      return to('finishes the file', 'cleaning', { done: 'finished', file: me, told: me })
    case 'cleaning':
      return to('deletes the record', 'out', { record: 0 })
    case 'out':
      return []
  }
}

function movesOfSweeper(
  state: CreationState,
  at: SweeperStage,
  index: number,
  { keepsTombstone }: CreationRules,
): readonly Move<CreationState>[] {
  const to = (
    step: string,
    next: SweeperStage,
    change: Partial<CreationState> = {},
  ): readonly Move<CreationState>[] => [
    {
      step: `sweeper ${index + 1}: ${step}`,
      state: { ...state, ...change, sweepers: state.sweepers.with(index, next) },
    },
  ]
  switch (at) {
    case 'idle':
      return state.done === 'gone' ? to('finds an old tombstone', 'erasing') : []
    case 'erasing':
      return to('deletes the file again', keepsTombstone ? 'out' : 'forgetting', { file: 0 })
    case 'forgetting':
      return to('forgets the tombstone', 'out', { done: 'none' })
    case 'out':
      return []
  }
}
