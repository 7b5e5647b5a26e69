import { announce } from './announcer.ts'
import { byId, setText } from './dom.ts'
import { onLanguage } from './i18n/current-language.ts'
import { t } from './i18n/language.ts'
import { type Action, RowView } from './row-view.ts'
import { stateText } from './status-line.ts'
import type { UploadItem } from './upload-item.ts'
import { type ListEvents, UploadList } from './upload-list.ts'

/** How often uploading rows are rendered without progress, to remove a stale speed, in milliseconds. */
const REFRESH_EVERY = 1000

/** The list on the page: a row per file, a summary, and announcements for screen readers. */
export class ListView implements ListEvents {
  readonly list: UploadList
  readonly #rows = new Map<UploadItem, RowView>()
  readonly #announced = new Map<UploadItem, string>()
  readonly #section = byId('uploads', HTMLElement)
  readonly #rowList = byId('rows', HTMLUListElement)
  readonly #summary = byId('summary', HTMLElement)
  readonly #clear = byId('clear', HTMLButtonElement)
  readonly #chooseFiles: () => void

  /** `chooseFiles` opens the browser's file dialog. */
  constructor(chooseFiles: () => void) {
    this.#chooseFiles = chooseFiles
    this.list = new UploadList(this)
    this.#clear.addEventListener('click', () => this.list.clearFinished())
    onLanguage(() => this.#renderAll())
    setInterval(() => this.#refresh(), REFRESH_EVERY)
  }

  added(item: UploadItem): void {
    const row = new RowView(item, (action) => void this.#act(item, action))
    this.#rows.set(item, row)
    this.#rowList.append(row.root)
    this.#renderSummary()
  }

  changed(item: UploadItem): void {
    this.#rows.get(item)?.render()
    this.#announceState(item)
    this.#renderSummary()
  }

  removed(item: UploadItem): void {
    const row = this.#rows.get(item)
    const hadFocus = row?.root.contains(document.activeElement) ?? false
    row?.root.remove()
    this.#rows.delete(item)
    this.#announced.delete(item)
    this.#renderSummary()
    if (hadFocus) this.#focusSomewhere()
  }

  alreadyPresent(item: UploadItem): void {
    announce(t('said.present', { name: item.name }))
  }

  async #act(item: UploadItem, action: Action): Promise<void> {
    if (action === 'choose') this.#chooseFiles()
    if (action === 'pause') item.pause()
    if (action === 'resume' || action === 'retry') item.queue()
    if (action === 'cancel' && (await this.list.cancel(item))) announce(t('said.cancelled', { name: item.name }))
    if (action === 'forget') {
      await this.list.forget(item)
      announce(t('said.forgotten', { name: item.name }))
    }
  }

  /** Announces changes of state, but no progress, which would keep a screen reader busy. */
  #announceState(item: UploadItem): void {
    const state = stateText(item)
    if (this.#announced.get(item) === state || item.state === 'waiting') return
    this.#announced.set(item, state)
    announce(t('said.state', { name: item.name, state }))
  }

  #renderAll(): void {
    for (const row of this.#rows.values()) row.render()
    this.#renderSummary()
  }

  #refresh(): void {
    for (const [item, row] of this.#rows) if (item.state === 'uploading') row.render()
  }

  #renderSummary(): void {
    const items = this.list.items
    const done = items.filter((item) => item.state === 'finished').length
    this.#section.hidden = items.length === 0
    this.#clear.hidden = done === 0
    setText(this.#summary, t('list.summary', { done, all: items.length }))
  }

  #focusSomewhere(): void {
    for (const row of this.#rows.values()) if (row.focus()) return
    byId('file-input', HTMLInputElement).focus()
  }
}
