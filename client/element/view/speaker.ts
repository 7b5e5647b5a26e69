import { percentOf } from '../../src/format.ts'
import type { Total } from '../queue/totals.ts'
import type { UploadItem } from '../queue/upload-item.ts'
import type { Announcer } from './announcer.ts'
import { type Surroundings, stateText } from './status-line.ts'

/** Announced steps of the progress, in per cent. */
const STEP = 25

/** Failures that are announced one by one; more would drown everything else. */
const MAX_FAILURES = 3

/** Says how uploads go: the start, each quarter, failures, and the end once. */
export class Speaker {
  readonly #announcer: Announcer
  readonly #around: Surroundings
  #running = 0
  #step = 0
  #failures = 0

  constructor(announcer: Announcer, around: Surroundings) {
    this.#announcer = announcer
    this.#around = around
  }

  /** Says the state of one item. */
  state(item: UploadItem): void {
    const { language } = this.#around
    this.#announcer.say(language.t('said.state', { name: item.name, state: stateText(item, this.#around) }))
  }

  /** An item has failed. */
  failed(item: UploadItem): void {
    this.#failures += 1
    if (this.#failures <= MAX_FAILURES) this.state(item)
  }

  /** The files as a whole have changed. Returns whether the last one has just ended. */
  total(total: Total): boolean {
    const { language } = this.#around
    const { running, files, sent, size, finished, failed } = total
    const was = this.#running
    this.#running = running
    if (was === 0 && running > 0) {
      this.#step = Math.floor(percentOf(sent, size) / STEP)
      this.#announcer.say(language.t('said.started', { count: running }))
    }
    const step = Math.floor(percentOf(sent, size) / STEP)
    if (running > 0 && step > this.#step && step * STEP < 100) {
      this.#announcer.say(language.t('said.share', { percent: step * STEP }))
    }
    if (running > 0) this.#step = step
    if (was === 0 || running > 0) return false
    this.#failures = 0
    const isPaused = total.paused > 0
    if (!isPaused && files > 0 && failed === 0) this.#announcer.say(language.t('said.complete', { count: files }))
    if (!isPaused && failed > 0) {
      this.#announcer.say(language.t('said.complete-failed', { count: Math.min(files, finished), failed }))
    }
    return !isPaused
  }
}
