/** How long a sentence stays, so that another one does not replace it before it is read, in milliseconds. */
const STAYS = 1500

/** The one polite live region of an element. */
export class Announcer {
  readonly #region: HTMLElement
  #said: { readonly sentence: string; readonly time: number }[] = []

  constructor(region: HTMLElement) {
    this.#region = region
  }

  /** Announces a sentence to screen readers, after those of the last moments. */
  say(sentence: string): void {
    const now = performance.now()
    const recent = this.#said.filter((each) => now - each.time < STAYS && each.sentence !== sentence).slice(-2)
    this.#said = [...recent, { sentence, time: now }]
    const text = this.#said.map((each) => each.sentence).join(' ')
    if (this.#region.textContent !== text) this.#region.textContent = text
  }
}
