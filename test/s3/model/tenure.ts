import type { Model, Move } from './explore.ts'

/** Requests for one upload stray between two nodes all the time. In each tick, both take a step, in any order. */

export interface TenureState {
  /** Ticks since the newest claim. */
  readonly age: number
  /** Steps that the holder has made: opening the upload, and storing bytes. */
  readonly steps: number
  /** Newest terms in which nothing was committed. */
  readonly barren: number
  /** The holder makes no more steps. */
  readonly isFrozen: boolean
  /** That happens once. */
  readonly mayStop: boolean
}

/** LIST, LIST, GET, PUT, the check, a PUT, and its check. */
const STEPS_TO_COMMIT = 7

/** @param tenure how old the newest claim is before another node claims the next term. Ticks. */
export function tenureModel(tenure: number): Model<TenureState> {
  const work = (state: TenureState): TenureState => {
    if (state.isFrozen) return state
    const steps = Math.min(STEPS_TO_COMMIT, state.steps + 1)
    return { ...state, steps, barren: steps === STEPS_TO_COMMIT ? 0 : state.barren }
  }
  const claim = (state: TenureState): TenureState =>
    state.age < tenure ? state : { ...state, age: 0, steps: 0, barren: state.barren + 1, isFrozen: false }
  const later = (state: TenureState): TenureState => ({ ...state, age: state.age + 1 })
  return {
    initial: { age: 0, steps: 0, barren: 0, isFrozen: false, mayStop: true },
    moves: (state): readonly Move<TenureState>[] => [
      { step: 'the holder is first', state: claim(work(later(state))) },
      { step: 'the other node is first', state: work(claim(later(state))) },
      ...(state.mayStop ? [{ step: 'the holder stops', state: { ...state, isFrozen: true, mayStop: false } }] : []),
    ],
    fault: ({ barren, age, isFrozen }) => {
      if (barren > 2 && !isFrozen) return 'terms race, and nothing is committed'
      return isFrozen && age > tenure + 1 ? 'the upload stays with a node that has stopped' : undefined
    },
  }
}
