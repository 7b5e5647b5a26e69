import { element, setText } from '../../../src/dom.ts'
import type { Details, StatsShown } from '../api/answers.ts'
import type { TextKey } from '../i18n/en.ts'
import { Keyed, type Shown } from '../keyed.ts'
import { routeOf } from '../routes.ts'
import { cell, table } from '../table.ts'
import { texted } from '../texted.ts'
import { showAge } from '../times.ts'

/** A request that failed. The upload is named where several are shown. */
type FailedRequest = Details['errors'][number] & { readonly upload?: StatsShown['errors'][number]['upload'] }

const HEADINGS = ['errors.at', 'errors.status', 'errors.code', 'errors.method', 'errors.request'] as const

/** A table of requests that failed, newest first. */
export class ErrorTable {
  readonly #table: ReturnType<typeof table>
  readonly #none: HTMLElement
  readonly #rows: Keyed<FailedRequest>
  readonly root: HTMLElement

  /** @param none is said when there are no errors. @param hasUploads whether to name the upload. */
  constructor(name: TextKey, none: TextKey, hasUploads = false) {
    this.#table = table(name, hasUploads ? [...HEADINGS, 'errors.upload'] : HEADINGS)
    this.#none = texted('p', none, { class: 'hint' })
    this.#rows = new Keyed(
      this.#table.body,
      ({ request, at }) => `${request} ${at}`,
      () => new ErrorRow(hasUploads),
    )
    this.root = element('div', {}, this.#table.root, this.#none)
  }

  show(errors: readonly FailedRequest[]): void {
    this.#rows.show(errors)
    this.#table.root.hidden = errors.length === 0
    this.#none.hidden = errors.length > 0
  }
}

class ErrorRow implements Shown<FailedRequest> {
  readonly #age = element('time')
  readonly #status = cell('errors.status', 'number')
  readonly #code = element('code')
  readonly #method = cell('errors.method', 'method')
  readonly #request = element('code')
  readonly #upload = element('a')
  readonly root: HTMLElement

  constructor(hasUpload: boolean) {
    this.root = element(
      'tr',
      { role: 'row', 'data-testid': 'error' },
      cell('errors.at', 'age', this.#age),
      this.#status,
      cell('errors.code', 'code', this.#code),
      this.#method,
      cell('errors.request', 'id', this.#request),
    )
    if (hasUpload) this.root.append(cell('errors.upload', 'id', this.#upload))
  }

  update({ at, status, code, method, request, upload = null }: FailedRequest): void {
    showAge(this.#age, at)
    setText(this.#status, String(status))
    setText(this.#code, code)
    setText(this.#method, method)
    setText(this.#request, request)
    this.#upload.hidden = upload === null
    if (upload === null) return
    this.#upload.href = routeOf('uploads', upload)
    setText(this.#upload, upload)
  }
}
