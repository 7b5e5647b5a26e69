import { announce } from '../../../src/announcer.ts'
import { element, setText } from '../../../src/dom.ts'
import { type Details, interruptedShape, type Line, lineShape } from '../api/answers.ts'
import type { Api } from '../api/api.ts'
import { confirmed } from '../confirm.ts'
import { t } from '../i18n/language.ts'
import { sizeText } from '../numbers.ts'
import { problemText } from '../problem-text.ts'
import { labelled } from '../texted.ts'
import { timeText } from '../times.ts'
import { nameOf } from '../uploads/upload-row.ts'

const ACTIONS = ['download', 'interrupt', 'extend', 'finish', 'release', 'delete'] as const
type Action = (typeof ACTIONS)[number]

/** How long a browser may take to begin with a file that is in its memory, in milliseconds. */
const KEEP_DOWNLOAD = 60_000

/** The actions on an upload: a button for each that makes sense, and what became of the last one. */
export class Actions {
  readonly #api: Api
  readonly #changed: () => void
  readonly #buttons = new Map<Action, HTMLButtonElement>()
  readonly #said = element('p', { class: 'hint', 'data-testid': 'said' })
  readonly #problem = element('p', { class: 'problem', role: 'alert' })
  readonly root: HTMLElement
  #upload: Details | undefined

  /** @param changed is called after an action that worked. */
  constructor(api: Api, changed: () => void) {
    this.#api = api
    this.#changed = changed
    for (const action of ACTIONS) {
      const kind = action === 'delete' ? 'button danger' : 'button'
      const button = element('button', { class: kind, type: 'button', 'data-action': action })
      button.addEventListener('click', () => void this.#act(action))
      this.#buttons.set(action, button)
    }
    const buttons = element('div', { class: 'buttons', role: 'group', ...labelled('detail.actions') })
    buttons.append(...this.#buttons.values())
    this.root = element('div', { class: 'actions' }, buttons, this.#said, this.#problem)
  }

  /** Shows the actions for an upload; none, if it is gone. */
  update(upload: Details | undefined): void {
    this.#upload = upload
    const focused = document.activeElement
    for (const [action, button] of this.#buttons) {
      button.hidden = upload === undefined || !isPossible(action, upload)
      if (upload === undefined) continue
      const text = t(`action.${action}`)
      setText(button, text)
      button.setAttribute('aria-label', t('action.label', { action: text, name: nameOf(upload) }))
    }
    // When the focused button disappears, the focus stays among the actions.
    if (focused instanceof HTMLElement && focused.hidden && this.root.contains(focused)) this.#focusAny()
  }

  #focusAny(): void {
    const next = [...this.#buttons.values()].find((button) => !button.hidden)
    if (next !== undefined) next.focus()
    else document.querySelector<HTMLElement>('h1')?.focus()
  }

  async #act(action: Action): Promise<void> {
    const upload = this.#upload
    const button = this.#buttons.get(action)
    if (upload === undefined || button === undefined || button.ariaBusy === 'true') return
    setText(this.#problem, '')
    if (!(await isConfirmed(action, upload))) return
    button.ariaBusy = 'true'
    try {
      const sentence = await this.#run(action, upload)
      setText(this.#said, sentence)
      announce(sentence)
      this.#changed()
    } catch (error) {
      setText(this.#said, '')
      setText(this.#problem, problemText(error))
    } finally {
      button.ariaBusy = null
    }
  }

  /** Returns what was done, in a sentence. */
  async #run(action: Action, upload: Details): Promise<string> {
    const name = nameOf(upload)
    const path = `uploads/${encodeURIComponent(upload.id)}`
    switch (action) {
      case 'interrupt': {
        const { requests: count } = await this.#api.post(`${path}/interrupt`, interruptedShape)
        return t('said.interrupted', { name, count })
      }
      case 'extend': {
        const { expiresAt } = await this.#api.post(`${path}/extend`, lineShape)
        if (expiresAt === null) return t('said.extended-forever', { name })
        return t('said.extended', { name, time: timeText(expiresAt) })
      }
      case 'finish': {
        const { state } = await this.#api.post(`${path}/finish`, lineShape)
        return t('said.finished', { name, state: t(`state.${state}`) })
      }
      case 'release':
        await this.#api.post(`${path}/release`, lineShape)
        return t('said.released', { name })
      case 'delete':
        await this.#api.delete(path)
        return t('said.deleted', { name })
      case 'download':
        setText(this.#said, t('said.downloading', { name }))
        save(await this.#api.download(`${path}/content`), upload.fileName)
        return t('said.downloaded', { name })
    }
  }
}

function isPossible(action: Action, upload: Details): boolean {
  switch (action) {
    case 'download':
      return upload.state === 'finished'
    case 'interrupt':
      return upload.activeRequests > 0
    case 'extend':
      return upload.expiresAt !== null
    case 'finish':
      return isStuck(upload)
    case 'release':
      return upload.canRelease
    case 'delete':
      return true
  }
}

/** Whether every byte is there, but no file yet. */
function isStuck({ state, received, size, isPart }: Pick<Details, 'state' | 'received' | 'size' | 'isPart'>): boolean {
  if (isPart || state === 'finished' || state === 'rejected') return false
  return state !== 'receiving' || received === size
}

async function isConfirmed(action: Action, upload: Line): Promise<boolean> {
  const name = nameOf(upload)
  if (action === 'delete') {
    const text = upload.state === 'receiving' ? 'ask.delete-unfinished' : 'ask.delete-file'
    return confirmed({
      title: t('ask.delete', { name }),
      text: t(text, { size: sizeText(upload.received) }),
      action: t('action.delete'),
    })
  }
  if (action !== 'release') return true
  return confirmed({ title: t('ask.release', { name }), text: t('ask.release-text'), action: t('action.release') })
}

function save(content: Blob, name: string): void {
  const link = element('a', { href: URL.createObjectURL(content), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), KEEP_DOWNLOAD)
}
