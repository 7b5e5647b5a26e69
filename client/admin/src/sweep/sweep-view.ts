import { announce } from '../../../src/announcer.ts'
import { element, setText } from '../../../src/dom.ts'
import { type Sweep, sweepShape } from '../api/answers.ts'
import type { Api } from '../api/api.ts'
import { confirmed } from '../confirm.ts'
import { t } from '../i18n/language.ts'
import { countText, sizeText } from '../numbers.ts'
import { problemText } from '../problem-text.ts'
import { routeOf } from '../routes.ts'
import { pressable, texted } from '../texted.ts'
import { ageText } from '../times.ts'
import { nameOf } from '../uploads/upload-row.ts'
import type { View } from '../view.ts'

/** Removes what has expired, after a look at what that is. */
export class SweepView implements View {
  readonly #api: Api
  readonly #result = element('p', { class: 'sum', 'data-testid': 'sweep' })
  readonly #oldest = texted('h2', 'sweep.oldest', { hidden: '' })
  readonly #examples = element('ul', { class: 'examples' })
  readonly #problem = element('p', { class: 'problem', role: 'alert' })
  readonly root: HTMLElement
  #sweep: Sweep | undefined
  #isRunning = false

  constructor(api: Api) {
    this.#api = api
    this.root = element(
      'section',
      {},
      texted('h1', 'sweep.title'),
      texted('p', 'sweep.hint', { class: 'hint' }),
      element(
        'div',
        { class: 'card' },
        element(
          'div',
          { class: 'buttons' },
          pressable('sweep.try', () => void this.#run(true), 'strong'),
          pressable('sweep.run', () => void this.#sweepNow(), 'danger'),
        ),
        this.#problem,
        this.#result,
        this.#oldest,
        this.#examples,
      ),
    )
  }

  update(): void {
    // A result stays as it was.
  }

  translate(): void {
    this.#show()
  }

  close(): void {
    // Nothing runs in the background.
  }

  /** Asks with the numbers of a dry run, then removes. */
  async #sweepNow(): Promise<void> {
    const { expired = 0, bytes = null } = (await this.#run(true)) ?? {}
    if (expired === 0) return
    const isConfirmed = await confirmed({
      title: t('ask.sweep', { count: countText(expired) }),
      text: t('ask.sweep-text', { size: sizeText(bytes ?? 0) }),
      action: t('ask.sweep-act'),
    })
    if (isConfirmed) await this.#run(false)
  }

  async #run(dryRun: boolean): Promise<Sweep | undefined> {
    if (this.#isRunning) return undefined
    this.#isRunning = true
    setText(this.#problem, '')
    try {
      this.#sweep = await this.#api.post('sweep', sweepShape, { dryRun })
      this.#show()
      announce(this.#result.textContent)
      return this.#sweep
    } catch (error) {
      setText(this.#problem, problemText(error))
      return undefined
    } finally {
      this.#isRunning = false
    }
  }

  #show(): void {
    if (this.#sweep === undefined) return
    setText(this.#result, resultText(this.#sweep))
    this.#oldest.hidden = this.#sweep.examples.length === 0
    const examples = this.#sweep.examples.map((upload) => {
      const link = element('a', { href: routeOf('uploads', upload.id), dir: 'auto' }, nameOf(upload))
      return element('li', {}, link, ` ${sizeText(upload.received)} · ${ageText(upload.changedAt)}`)
    })
    this.#examples.replaceChildren(...examples)
  }
}

function resultText({ dryRun, expired, bytes }: Sweep): string {
  const count = countText(expired)
  if (!dryRun) return t('sweep.done', { count })
  return expired === 0 ? t('sweep.would-none') : t('sweep.would', { count, size: sizeText(bytes ?? 0) })
}
