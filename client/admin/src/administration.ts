import { byId, element, setText } from '../../src/dom.ts'
import type { StatsShown } from './api/answers.ts'
import type { Api } from './api/api.ts'
import { DeliveriesView } from './deliveries/deliveries-view.ts'
import { DetailView } from './detail/detail-view.ts'
import { ErrorsView } from './errors/errors-view.ts'
import { t } from './i18n/language.ts'
import { Live, type LiveListener, type Update } from './live.ts'
import { countText } from './numbers.ts'
import { type Route, routeIn, type Section } from './routes.ts'
import { SettingsView } from './settings/settings-view.ts'
import { SweepView } from './sweep/sweep-view.ts'
import { spanText } from './times.ts'
import { TokensView } from './tokens/tokens-view.ts'
import { Totals } from './totals.ts'
import { UploadsView } from './uploads/uploads-view.ts'
import { focusHeading, type View } from './view.ts'

/** What a signed-in administrator sees: the section of the address, kept up to date by the events of the service. */
export class Administration implements LiveListener {
  readonly #api: Api
  readonly #main: HTMLElement
  readonly #live: Live
  readonly #totals = new Totals()
  /** The list stays in the page, with its place and its choices, while an upload is shown. */
  readonly #list: UploadsView
  readonly #connection = byId('connection', HTMLElement)
  readonly #nodes = byId('nodes', HTMLElement)
  readonly #deadCount = byId('dead-count', HTMLElement)
  readonly #navigate = (): void => this.#show(routeIn(location.hash))
  #view: View
  #shownId: string | undefined
  #listScroll = 0
  #isConnected = true
  #stats: StatsShown | undefined

  constructor(api: Api, main: HTMLElement) {
    this.#api = api
    this.#main = main
    this.#list = new UploadsView(api)
    this.#view = this.#list
    this.#live = new Live(api, this)
    main.replaceChildren(this.#totals.root, this.#list.root)
    window.addEventListener('hashchange', this.#navigate)
    this.#navigate()
    void this.#live.run()
  }

  updated(update: Update): void {
    if (update.stats !== undefined) {
      this.#stats = update.stats
      this.#totals.update(update.stats)
      this.#showNodes(update.stats)
    }
    this.#list.update(update)
    if (this.#view !== this.#list) this.#view.update(update)
    this.#showFrame()
  }

  /** Links to the pages of the other nodes; they do not change while the service runs. */
  #showNodes({ node, nodes }: StatsShown): void {
    if (nodes.length === 0 || this.#nodes.childElementCount > 0) return
    const linkTo = ({ name, url }: { readonly name: string; readonly url: string }): HTMLElement =>
      element('a', { href: url, ...(name === node && { 'aria-current': 'true' }) }, name)
    this.#nodes.replaceChildren(...nodes.map(linkTo))
    this.#nodes.hidden = false
  }

  connected(isConnected: boolean): void {
    this.#isConnected = isConnected
    this.#showFrame()
  }

  /** Shows everything in the current language. */
  translate(): void {
    this.#totals.translate()
    this.#list.translate()
    this.#view.translate()
    this.#showFrame()
  }

  close(): void {
    window.removeEventListener('hashchange', this.#navigate)
    this.#live.stop()
    this.#list.close()
    this.#view.close()
    this.#main.replaceChildren()
    setText(this.#connection, '')
  }

  #show({ section, id }: Route): void {
    const before = this.#view
    const shownBefore = this.#shownId
    if (before === this.#list) this.#listScroll = scrollY
    const next = id === undefined ? this.#sectionView(section) : new DetailView(this.#api, id)
    this.#shownId = id
    this.#view = next
    if (before !== this.#list && before !== next) {
      before.close()
      before.root.remove()
    }
    this.#list.root.hidden = next !== this.#list
    this.#totals.root.classList.toggle('beside', section !== 'uploads' || id !== undefined)
    if (next !== this.#list) this.#main.append(next.root)
    markCurrent(section)
    if (before === next) return
    scrollTo({ top: next === this.#list ? this.#listScroll : 0, behavior: 'instant' })
    // Back in the list, the focus is where it was.
    const isBack = next === this.#list && shownBefore !== undefined && this.#list.focusRow(shownBefore)
    if (!isBack) focusHeading(next.root)
  }

  #sectionView(section: Section): View {
    switch (section) {
      case 'uploads':
        return this.#list
      case 'errors':
        return new ErrorsView(this.#api)
      case 'deliveries':
        return new DeliveriesView(this.#api)
      case 'sweep':
        return new SweepView(this.#api)
      case 'tokens':
        return new TokensView(this.#api)
      case 'settings':
        return new SettingsView(this.#api)
    }
  }

  #showFrame(): void {
    const { isReady = true, webhooks, version = '', uptime = 0 } = this.#stats ?? {}
    this.#connection.dataset['state'] = this.#isConnected ? 'live' : 'lost'
    const state = this.#isConnected ? (isReady ? 'page.live' : 'page.stopping') : 'page.lost'
    const known = t('page.version', { version, time: spanText(uptime) })
    setText(this.#connection, this.#stats === undefined ? t('page.loading') : [t(state), known].join(' · '))
    const dead = webhooks?.deadLetters ?? 0
    this.#deadCount.hidden = dead === 0
    setText(this.#deadCount, countText(dead))
  }
}

function markCurrent(section: Section): void {
  for (const link of document.querySelectorAll<HTMLElement>('[data-view]')) {
    if (link.dataset['view'] === section) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
}
