import { createHash } from 'node:crypto'

/** One step of one process, and what it leads to. */
export interface Move<State> {
  readonly step: string
  readonly state: State
}

export interface Model<State> {
  readonly initial: State
  /** All steps that may come next. */
  moves(state: State): readonly Move<State>[]
  /** The promise that `state` breaks. */
  fault(state: State): string | undefined
}

export interface Exploration {
  readonly states: number
  /** `undefined` if no reachable state has one. */
  readonly fault: string | undefined
  /** The fewest steps that lead to the fault. */
  readonly trace: readonly string[]
}

interface Reached<State> {
  readonly state: State
  readonly step: string
  readonly from: Reached<State> | undefined
}

/**
 * Visits every state that a model can reach, in whatever order its processes run.
 *
 * @throws Error if there are more states than `limit`: then nothing has been shown.
 */
export function explore<State>(model: Model<State>, limit: number): Exploration {
  const seen = new Set<string>([digest(model.initial)])
  let wave: Reached<State>[] = [{ state: model.initial, step: 'begin', from: undefined }]
  while (wave.length > 0) {
    const next: Reached<State>[] = []
    for (const reached of wave) {
      const fault = model.fault(reached.state)
      if (fault !== undefined) return { states: seen.size, fault, trace: traceOf(reached) }
      for (const { step, state } of model.moves(reached.state)) {
        const key = digest(state)
        if (seen.has(key)) continue
        seen.add(key)
        next.push({ state, step, from: reached })
      }
    }
    if (seen.size > limit) throw new Error(`There are more than ${limit} states.`)
    wave = next
  }
  return { states: seen.size, fault: undefined, trace: [] }
}

function digest(state: unknown): string {
  return createHash('md5').update(JSON.stringify(state)).digest('base64')
}

function traceOf<State>(last: Reached<State>): string[] {
  const steps: string[] = []
  for (let at: Reached<State> | undefined = last; at?.from !== undefined; at = at.from) steps.unshift(at.step)
  return steps
}
