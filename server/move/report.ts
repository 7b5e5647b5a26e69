import type { Carried } from '../core/depot.ts'
import { total } from '../core/ranges.ts'

/** Reports to the operator what a move did, or would do. */
export class Report {
  readonly #print: (line: string) => void
  readonly #isDry: boolean
  #finished = 0
  #unfinished = 0
  #tombstones = 0
  #known = 0
  #problems = 0

  /** @param isDry whether nothing is changed. */
  constructor(print: (line: string) => void, isDry: boolean) {
    this.#print = print
    this.#isDry = isDry
  }

  /** Whether everything is at the target. */
  get isClean(): boolean {
    return this.#problems === 0
  }

  moved({ record, received, finishedAt }: Pick<Carried, 'record' | 'received' | 'finishedAt'>): void {
    if (finishedAt === undefined) this.#unfinished += 1
    else this.#finished += 1
    const bytes = total(received)
    this.#print(`${record.id}: ${finishedAt === undefined ? `${bytes} of ${record.length ?? 'unknown'}` : bytes} bytes`)
  }

  /** @param isFinished of an upload that would be moved. */
  wouldMove(isFinished: boolean): void {
    if (isFinished) this.#finished += 1
    else this.#unfinished += 1
  }

  movedTombstone(): void {
    this.#tombstones += 1
  }

  /** It was moved before. */
  known(): void {
    this.#known += 1
  }

  problem(id: string, sentence: string): void {
    this.#problems += 1
    this.#print(`${id}: ${sentence} Not moved.`)
  }

  /** Prints the sums. */
  end(): void {
    const verb = this.#isDry ? 'Would move' : 'Moved'
    this.#print(
      `${verb}: ${this.#finished} finished, ${this.#unfinished} unfinished, ${this.#tombstones} tombstones. ` +
        `Already there: ${this.#known}. Not moved: ${this.#problems}.`,
    )
  }
}
