import { element, setText } from '../../src/dom.ts'
import type { TextKey } from '../i18n/en.ts'
import type { Language } from '../i18n/language.ts'
import { textButton } from './button.ts'
import { drawing } from './drawing.ts'

const HARBOUR = {
  arrow: 'M12 15V4m0 0L8 8m4-4 4 4',
  water: 'M3 19c2.25 0 2.25 1.5 4.5 1.5S9.75 19 12 19s2.25 1.5 4.5 1.5S18.75 19 21 19',
}

/** What the drop zone reports. */
export interface ChoiceEvents {
  /** Files were chosen in the dialogue of a file input. */
  chosen(files: readonly File[]): void
  /** Its user wants to choose files, or a folder. Returns whether another dialogue opens. */
  choosing(what: 'files' | 'folder'): boolean
}

/** How the drop zone is shown. */
export interface DropState {
  readonly isMultiple: boolean
  readonly accept: string
  readonly hasFolders: boolean
  readonly isOnPage: boolean
  readonly isDisabled: boolean
  /** Whether there are rows below, so that it takes less space. */
  readonly isCompact: boolean
  /** Whether chosen files wait for the service. */
  readonly isAway: boolean
  /** Files of a folder that is being read, or null. */
  readonly reading: number | null
}

/** The area on which files are dropped, with buttons to choose them. */
export class DropView {
  readonly root: HTMLElement
  readonly #input = element('input', {
    class: 'unseen',
    id: 'file-input',
    'data-testid': 'file-input',
    type: 'file',
  })
  readonly #folder = element('input', {
    class: 'unseen',
    'data-testid': 'folder-input',
    type: 'file',
    webkitdirectory: '',
    tabindex: '-1',
    'aria-hidden': 'true',
  })
  readonly #choose = element('span', { class: 'choose', part: 'browse' })
  readonly #hint = element('span', { class: 'hint' })
  readonly #folderButton: HTMLButtonElement
  readonly #labelSlot = element('slot', { name: 'label' }, this.#choose)
  readonly #hintSlot = element('slot', { name: 'hint' }, this.#hint)

  constructor(events: ChoiceEvents) {
    this.#folderButton = textButton('folder', 'browse-folder', () => {
      if (!events.choosing('folder')) this.choose('folder')
    })
    this.#folderButton.classList.add('plain')
    this.root = element(
      'div',
      { class: 'drop', id: 'drop', part: 'dropzone' },
      element('label', { class: 'target', for: 'file-input' }, drawing(HARBOUR), this.#labelSlot),
      this.#hintSlot,
      this.#folderButton,
      this.#input,
      this.#folder,
    )
    for (const input of [this.#input, this.#folder]) {
      input.addEventListener('change', () => {
        const files = [...(input.files ?? [])]
        // Without this, choosing the same file again would fire no event.
        input.value = ''
        events.chosen(files)
      })
    }
    this.#input.addEventListener('click', (event) => {
      if (event.isTrusted && events.choosing('files')) event.preventDefault()
    })
  }

  /** Opens the dialogue of an input. */
  choose(what: 'files' | 'folder'): void {
    const input = what === 'files' ? this.#input : this.#folder
    input.click()
  }

  /** What receives the focus of the element. */
  get anchor(): HTMLElement {
    return this.#input
  }

  /** Highlights the area while files are over it. */
  set isOver(isOver: boolean) {
    this.root.classList.toggle('over', isOver)
  }

  render(state: DropState, language: Language): void {
    this.#input.multiple = state.isMultiple
    this.#input.accept = state.accept
    this.#input.disabled = state.isDisabled
    this.#folderButton.disabled = state.isDisabled
    this.#folderButton.hidden = !state.hasFolders
    this.root.classList.toggle('compact', state.isCompact)
    this.root.classList.toggle('disabled', state.isDisabled)
    setText(this.#choose, language.t('drop.choose'))
    setText(this.#folderButton, language.t('drop.folder'))
    setText(this.#hint, language.t(hintFor(state), { count: state.reading ?? 0 }))
    this.root.dataset['now'] = language.t('drop.now')
  }
}

function hintFor({ isAway, reading, isOnPage }: DropState): TextKey {
  if (isAway) return 'state.away'
  if (reading !== null) return 'drop.reading'
  return isOnPage ? 'drop.hint-page' : 'drop.hint'
}
