import { element } from '../../../src/dom.ts'
import { type StatsShown, statsShape } from '../api/answers.ts'
import type { Api } from '../api/api.ts'
import type { Update } from '../live.ts'
import { texted } from '../texted.ts'
import type { View } from '../view.ts'
import { ErrorTable } from './error-table.ts'

/** The last errors of the service, live. */
export class ErrorsView implements View {
  readonly #errors = new ErrorTable('errors.title', 'errors.none', true)
  readonly root = element(
    'section',
    {},
    texted('h1', 'errors.title'),
    texted('p', 'errors.hint', { class: 'hint' }),
    element('div', { class: 'card' }, this.#errors.root),
  )
  #shown: StatsShown['errors'] = []

  constructor(api: Api) {
    this.#errors.show([])
    // The stream brings them again, if the service is away.
    void api
      .get('stats', statsShape)
      .then((stats) => this.#show(stats.errors))
      .catch(() => undefined)
  }

  update({ stats }: Update): void {
    if (stats !== undefined) this.#show(stats.errors)
  }

  translate(): void {
    this.#show(this.#shown)
  }

  close(): void {
    // Nothing runs in the background.
  }

  #show(errors: StatsShown['errors']): void {
    this.#shown = errors
    this.#errors.show(errors)
  }
}
