import { type Kill, stepNames } from './kills.ts'
import type { UploadModel } from './model.ts'

/** The requests that a kill has interrupted. */
export interface CutOff {
  /** Requests without a response. */
  readonly requests: number
  /** Those with a partly sent body. */
  readonly bodies: number
}

/** Counts the kills by place, and the uploads by kind and outcome. */
export class Tally {
  readonly #at = new Map<Kill['at'], number>()
  readonly #uploads = new Map<string, number>()
  #starts = 0
  #comparisons = 0
  #overQuota = 0
  #events = 0
  #comparedKills = 0
  #missed = 0
  #withRequests = 0
  #requests = 0
  #withBodies = 0
  #bodies = 0

  noteStart(): void {
    this.#starts += 1
  }

  /** Records that the totals of the ledger were equal to a recount. */
  noteComparison(): void {
    this.#comparisons += 1
  }

  noteOverQuota(requests: number): void {
    this.#overQuota += requests
  }

  /**
   * Records that the events of a receiver of webhooks were equal to the uploads of the store.
   *
   * @param events that the receiver has, each once. @param kills after which that was so.
   */
  noteEvents(events: number, kills: number): void {
    this.#events += events
    this.#comparedKills += kills
  }

  /** Records that the awaited step of a run did not occur in time. */
  noteMissed(): void {
    this.#missed += 1
  }

  noteKill(kill: Kill, { requests, bodies }: CutOff): void {
    this.#at.set(kill.at, this.at(kill.at) + 1)
    this.#requests += requests
    if (requests > 0) this.#withRequests += 1
    this.#bodies += bodies
    if (bodies > 0) this.#withBodies += 1
  }

  noteUploads(uploads: readonly UploadModel[]): void {
    for (const upload of uploads) {
      this.#count(`${upload.nature.kind} uploads`)
      for (const fate of fatesOf(upload)) this.#count(fate)
    }
  }

  /** Adds the counts of another tally. */
  add(other: Tally): void {
    for (const [place, count] of other.#at) this.#at.set(place, this.at(place) + count)
    for (const [name, count] of other.#uploads) this.#uploads.set(name, (this.#uploads.get(name) ?? 0) + count)
    this.#starts += other.#starts
    this.#comparisons += other.#comparisons
    this.#overQuota += other.#overQuota
    this.#events += other.#events
    this.#comparedKills += other.#comparedKills
    this.#missed += other.#missed
    this.#withRequests += other.#withRequests
    this.#requests += other.#requests
    this.#withBodies += other.#withBodies
    this.#bodies += other.#bodies
  }

  get comparisons(): number {
    return this.#comparisons
  }

  /** Kills after which the receiver of webhooks had exactly the events of the store. */
  get comparedKills(): number {
    return this.#comparedKills
  }

  get overQuota(): number {
    return this.#overQuota
  }

  at(place: Kill['at']): number {
    return this.#at.get(place) ?? 0
  }

  get all(): number {
    return [...this.#at.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Kills that interrupted at least one body. */
  get withBodies(): number {
    return this.#withBodies
  }

  /** Kills, uploads, and their outcomes, as a table. */
  table(violations: number): string {
    const rows: [string, number | string][] = [
      ['kills', this.all],
      ['… with a request in flight', `${this.#withRequests} (${this.#requests} requests)`],
      ['… inside a body', `${this.#withBodies} (${this.#bodies} bodies)`],
      ...(['body', 'start', 'call', ...stepNames()] as const).map((place): [string, number] => [
        `kills at ${place}`,
        this.at(place),
      ]),
      ['stops that did not come in time', this.#missed],
      ['starts', this.#starts],
      ['ledger equal to a recount', this.#comparisons],
      ['requests over a quota', this.#overQuota],
      ['events equal to the store', this.#events],
      ['… after kills', this.#comparedKills],
      ...[...this.#uploads].sort(),
      ['violations', violations],
    ]
    return text(rows)
  }

  /** Uploads and their outcomes, as a table. */
  uploadTable(): string {
    return text([...this.#uploads].sort())
  }

  #count(name: string): void {
    this.#uploads.set(name, (this.#uploads.get(name) ?? 0) + 1)
  }
}

function text(rows: readonly (readonly [string, number | string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}

function fatesOf({ finished, removal, expired, failure, nature, everythingAcknowledged }: UploadModel): string[] {
  const isWhole = nature.kind === 'part' ? everythingAcknowledged : finished
  return [
    ...(isWhole ? [nature.kind === 'part' ? 'parts completed' : 'finished'] : []),
    ...(removal === 'done' && !expired ? ['deleted'] : []),
    ...(removal === 'done' && expired ? ['expired'] : []),
    ...(failure === 'certain' ? ['failed'] : []),
  ]
}
