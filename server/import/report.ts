import { type FoundUpload, isComplete } from './found.ts'

/** Maximum names of files that belong to no upload. */
const MAX_NAMED = 20

/** Reports to the operator what an import did, or would do. */
export class Report {
  readonly #print: (line: string) => void
  readonly #isDry: boolean
  #finished = 0
  #unfinished = 0
  #known = 0
  #problems = 0
  readonly #strays: string[] = []
  #strayCount = 0

  /** @param isDry whether nothing is changed. */
  constructor(print: (line: string) => void, isDry: boolean) {
    this.#print = print
    this.#isDry = isDry
  }

  /** Whether everything was imported. */
  get isClean(): boolean {
    return this.#problems === 0
  }

  taken(found: FoundUpload): void {
    const { name, size, record } = found
    if (isComplete(found)) this.#finished += 1
    else this.#unfinished += 1
    const state = isComplete(found) ? `${size} bytes` : `${size} of ${record.length ?? 'unknown'} bytes`
    const isNamed = name === record.id || this.#isDry
    this.#print(isNamed ? `${name}: ${state}` : `${name}: ${state}, now ${record.id}`)
  }

  /** It was imported before. */
  known(): void {
    this.#known += 1
  }

  problem(name: string, sentence: string): void {
    this.#problems += 1
    this.#print(`${name}: ${sentence} Not imported.`)
  }

  /** A file belongs to no upload. */
  stray(name: string): void {
    this.#strayCount += 1
    if (this.#strays.length < MAX_NAMED) this.#strays.push(name)
  }

  /** Prints the sums. */
  end(): void {
    if (this.#strayCount > 0) {
      const more = this.#strayCount > MAX_NAMED ? ', …' : ''
      this.#print(`Files of no task in the list: ${this.#strayCount} (${this.#strays.join(', ')}${more})`)
    }
    const verb = this.#isDry ? 'Would import' : 'Imported'
    this.#print(
      `${verb}: ${this.#finished} finished, ${this.#unfinished} unfinished. Already imported: ${this.#known}. ` +
        `Not imported: ${this.#problems}.`,
    )
  }
}
