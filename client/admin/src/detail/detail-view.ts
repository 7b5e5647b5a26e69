import { announce } from '../../../src/announcer.ts'
import { element, setText } from '../../../src/dom.ts'
import { type Details, detailsShape } from '../api/answers.ts'
import { type Api, ApiError } from '../api/api.ts'
import { ErrorTable } from '../errors/error-table.ts'
import { t } from '../i18n/language.ts'
import type { Update } from '../live.ts'
import { countText, rateText } from '../numbers.ts'
import { problemText } from '../problem-text.ts'
import { routeOf } from '../routes.ts'
import { texted } from '../texted.ts'
import { timeText } from '../times.ts'
import { nameOf } from '../uploads/upload-row.ts'
import type { View } from '../view.ts'
import { Actions } from './actions.ts'
import { type Fact, Facts } from './facts.ts'
import { RangesView } from './ranges-view.ts'

/** One upload: its ranges, facts, errors, and the actions on it. It follows the events. */
export class DetailView implements View {
  readonly #api: Api
  readonly #id: string
  readonly #heading = element('h1', { dir: 'auto' })
  readonly #state = element('span', { class: 'state', 'data-testid': 'state' })
  readonly #problem = element('p', { class: 'problem', role: 'alert' })
  readonly #failure = element('p', { class: 'problem', 'data-testid': 'failure' })
  readonly #actions: Actions
  readonly #ranges = new RangesView()
  readonly #facts = new Facts()
  readonly #hooks = new Facts()
  readonly #metadata = new Facts()
  readonly #noMetadata = texted('p', 'detail.no-metadata', { class: 'hint' })
  readonly #digests = new Facts()
  readonly #digestPart = element('div', {}, texted('h3', 'detail.digests'), this.#digests.root)
  readonly #errors = new ErrorTable('detail.errors', 'detail.no-errors')
  readonly #content: HTMLElement
  readonly root: HTMLElement
  #upload: Details | undefined
  #isGone = false
  #isLoading = false
  #isClosed = false

  constructor(api: Api, id: string) {
    this.#api = api
    this.#id = id
    this.#actions = new Actions(api, () => void this.#load())
    this.#content = element(
      'div',
      { class: 'columns', hidden: '' },
      element(
        'div',
        { class: 'column' },
        this.#ranges.root,
        card('detail.errors', this.#errors.root),
        card('detail.metadata', this.#metadata.root, this.#noMetadata, this.#digestPart),
      ),
      element(
        'div',
        { class: 'column' },
        card('detail.facts', this.#facts.root),
        card('detail.hooks', this.#hooks.root),
      ),
    )
    this.root = element(
      'section',
      { class: 'detail' },
      texted('a', 'detail.back', { class: 'back', href: routeOf('uploads') }),
      element('div', { class: 'head' }, this.#heading, this.#state),
      this.#failure,
      this.#actions.root,
      this.#problem,
      this.#content,
    )
    setText(this.#heading, id)
    void this.#load()
  }

  update({ uploads, stats, isIncomplete }: Update): void {
    // Totals come at intervals: requests and errors change without an event of the upload.
    if (uploads.has(this.#id) || stats !== undefined || isIncomplete) void this.#load()
  }

  translate(): void {
    this.#render()
  }

  close(): void {
    this.#isClosed = true
  }

  async #load(): Promise<void> {
    if (this.#isLoading || this.#isGone) return
    this.#isLoading = true
    try {
      const before = this.#upload
      this.#upload = await this.#api.get(`uploads/${encodeURIComponent(this.#id)}`, detailsShape)
      if (this.#isClosed) return
      setText(this.#problem, '')
      this.#render()
      if (before !== undefined && before.state !== this.#upload.state) this.#announceState(this.#upload)
    } catch (error) {
      if (this.#isClosed) return
      this.#isGone = error instanceof ApiError && (error.status === 404 || error.status === 410)
      setText(this.#problem, this.#isGone ? t('detail.gone') : problemText(error))
      this.#render()
    } finally {
      this.#isLoading = false
    }
  }

  #announceState(upload: Details): void {
    announce(t('said.state', { name: nameOf(upload), state: t(`state.${upload.state}`) }))
  }

  #render(): void {
    const upload = this.#upload
    this.#actions.update(this.#isGone ? undefined : upload)
    if (this.#isGone) setText(this.#state, t('state.gone'))
    this.root.dataset['state'] = this.#isGone ? 'gone' : (upload?.state ?? '')
    if (upload === undefined) return
    setText(this.#heading, nameOf(upload))
    if (!this.#isGone) setText(this.#state, t(`state.${upload.state}`))
    setText(this.#failure, upload.failure === null ? '' : `${upload.failure.code}: ${upload.failure.message}`)
    this.#content.hidden = false
    this.#ranges.update(upload)
    this.#facts.show(factsOf(upload))
    this.#hooks.show(hooksOf(upload))
    const metadata = Object.entries(upload.metadata)
    this.#metadata.show(metadata.map(([name, value]): Fact => [{ raw: name }, value ?? '–']))
    this.#noMetadata.hidden = metadata.length > 0
    const digests = Object.entries(upload.digests)
    this.#digests.show(digests.map(([name, value]): Fact => [{ raw: name }, element('code', {}, value)]))
    this.#digestPart.hidden = digests.length === 0
    this.#errors.show(upload.errors)
  }
}

function factsOf(upload: Details): Fact[] {
  const { taskId, owner, expiresAt, finishedAt, object, path, parts } = upload
  return [
    ['detail.id', code(upload.id)],
    ['detail.task', taskId === null ? undefined : code(taskId)],
    ['detail.protocol', upload.protocol],
    ['detail.owner', owner === null ? t('list.anonymous') : code(owner)],
    ['detail.created', timeText(upload.createdAt)],
    ['detail.changed', timeText(upload.changedAt)],
    ['detail.finished', finishedAt === null ? undefined : timeText(finishedAt)],
    ['detail.expires', expiresAt === null ? undefined : timeText(expiresAt)],
    ['detail.file', upload.fileName],
    ['detail.path', path === null ? undefined : code(path)],
    ['detail.object', object === null ? undefined : code(`${object.bucket}/${object.key}`)],
    ['detail.rate', upload.rate > 0 ? rateText(upload.rate) : undefined],
    [
      'detail.requests',
      t('detail.requests-of', { count: countText(upload.requests), active: countText(upload.activeRequests) }),
    ],
    ['detail.part', partOf(upload)],
    ['detail.parts', parts === null ? undefined : element('span', {}, ...parts.flatMap(linkInList))],
  ]
}

function partOf({ isPart, final }: Details): string | HTMLElement | undefined {
  if (!isPart) return undefined
  return final === null ? t('detail.part-open') : linkTo(final)
}

function hooksOf({ hooks, webhooks }: Details): Fact[] {
  const dead = webhooks.dead.map(({ event, at, why }) => `${event} (${timeText(at)}): ${why}`)
  return [
    ['detail.scan', t(`detail.decision.${hooks.scan}`)],
    ['detail.application', t(`detail.decision.${hooks.application}`)],
    ['detail.dead', dead.length === 0 ? t('detail.dead-none') : deadLink(dead)],
  ]
}

function deadLink(dead: readonly string[]): HTMLElement {
  return element('a', { href: routeOf('deliveries') }, dead.join('; '))
}

function linkInList(id: string, index: number): (Node | string)[] {
  return index === 0 ? [linkTo(id)] : [', ', linkTo(id)]
}

function linkTo(id: string): HTMLElement {
  return element('a', { href: routeOf('uploads', id) }, code(id))
}

function code(text: string): HTMLElement {
  return element('code', {}, text)
}

function card(title: Parameters<typeof texted>[1], ...children: readonly Node[]): HTMLElement {
  return element('section', { class: 'card' }, texted('h2', title), ...children)
}
