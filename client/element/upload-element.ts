import type { LandfallFile, LandfallUpload } from './api.d.ts'
import { ATTRIBUTES, integerIn, textsIn } from './attributes.ts'
import type { Happening } from './file-events.ts'
import { plainFile } from './files/chosen-file.ts'
import type { FilesPanel } from './files-panel.ts'
import type { Counts } from './queue/totals.ts'
import type { UploadItem } from './queue/upload-item.ts'
import type { Limits } from './service/session-response.ts'
import { styleSheet } from './styles/style-sheet.ts'
import { Uploader, type UploaderOptions } from './uploader.ts'

/** Files that upload at the same time, and files in the list, unless attributes say otherwise. */
const PARALLEL = 3
const MAX_FILES = 20_000

const STATES = ['uploading', 'paused', 'error', 'complete', 'dragging'] as const

/** Without a DOM, for instance when a server renders the page, the class exists, but nothing uses it. */
const Base = (globalThis.HTMLElement ?? Object) as typeof HTMLElement

/** `<landfall-upload>`; api.d.ts describes it. */
export class LandfallUploadElement extends Base implements LandfallUpload {
  static readonly formAssociated = true
  static readonly observedAttributes: readonly string[] = ATTRIBUTES
  /** The URL of the script, which is in the top directory of its service. */
  static scriptUrl = ''

  readonly #internals = this.attachInternals()
  #left = new AbortController()
  #uploader: Uploader | null = null
  #token: string | null = null
  #headers: LandfallUpload['headers'] = null
  #metadata: Readonly<Record<string, string>> | null = null
  #isFormDisabled = false
  #total: Counts | null = null
  findFinished: LandfallUpload['findFinished'] = null

  connectedCallback(): void {
    // A property that was set before the element was defined hides the accessor.
    for (const name of ['token', 'headers', 'metadata'] as const) this.#upgrade(name)
    if (this.#uploader === null) this.#begin()
  }

  disconnectedCallback(): void {
    // An element that only moves stays.
    queueMicrotask(() => {
      if (!this.isConnected) this.#end()
    })
  }

  attributeChangedCallback(name: string): void {
    if (this.#uploader === null) return
    if (name === 'endpoint' && this.#uploader.isEmpty) {
      this.#end()
      this.#begin()
      return
    }
    // The form may need other values.
    this.#total = null
    this.#uploader.redraw()
  }

  formDisabledCallback(isDisabled: boolean): void {
    this.#isFormDisabled = isDisabled
    this.#uploader?.redraw()
  }

  formResetCallback(): void {
    this.clear()
  }

  get endpoint(): string {
    const { scriptUrl } = LandfallUploadElement
    return new URL(this.getAttribute('endpoint') ?? new URL('files', scriptUrl), this.baseURI).href
  }
  set endpoint(value: string) {
    this.setAttribute('endpoint', value)
  }
  get multiple(): boolean {
    return this.hasAttribute('multiple')
  }
  set multiple(value: boolean) {
    this.toggleAttribute('multiple', value)
  }
  get accept(): string {
    return this.getAttribute('accept') ?? ''
  }
  set accept(value: string) {
    this.setAttribute('accept', value)
  }
  get maxSize(): number {
    return integerIn(this, 'max-size', 0)
  }
  set maxSize(value: number) {
    this.setAttribute('max-size', String(value))
  }
  get maxFiles(): number {
    return integerIn(this, 'max-files', MAX_FILES)
  }
  set maxFiles(value: number) {
    this.setAttribute('max-files', String(value))
  }
  get directory(): boolean {
    return this.hasAttribute('directory')
  }
  set directory(value: boolean) {
    this.toggleAttribute('directory', value)
  }
  get chunkSize(): number {
    return integerIn(this, 'chunk-size', 0)
  }
  set chunkSize(value: number) {
    this.setAttribute('chunk-size', String(value))
  }
  get parallel(): number {
    return integerIn(this, 'parallel', PARALLEL)
  }
  set parallel(value: number) {
    this.setAttribute('parallel', String(value))
  }
  get manual(): boolean {
    return this.hasAttribute('manual')
  }
  set manual(value: boolean) {
    this.toggleAttribute('manual', value)
  }
  get disabled(): boolean {
    return this.hasAttribute('disabled')
  }
  set disabled(value: boolean) {
    this.toggleAttribute('disabled', value)
  }
  get name(): string {
    return this.getAttribute('name') ?? ''
  }
  set name(value: string) {
    this.setAttribute('name', value)
  }
  get required(): boolean {
    return this.hasAttribute('required')
  }
  set required(value: boolean) {
    this.toggleAttribute('required', value)
  }
  get checksum(): string {
    return this.getAttribute('checksum') ?? ''
  }
  set checksum(value: string) {
    this.setAttribute('checksum', value)
  }
  get protocol(): string {
    return this.getAttribute('protocol') ?? ''
  }
  set protocol(value: string) {
    this.setAttribute('protocol', value)
  }
  get locale(): string {
    return this.getAttribute('locale') ?? ''
  }
  set locale(value: string) {
    this.setAttribute('locale', value)
  }

  get token(): string | null {
    return this.#token
  }
  set token(value: string | null) {
    this.#token = value
    this.#uploader?.service.visitor.offer(value)
  }
  get headers(): LandfallUpload['headers'] {
    return this.#headers
  }
  set headers(value: LandfallUpload['headers']) {
    this.#headers = value
    if (this.#uploader !== null) void this.#uploader.service.visitor.refresh()
  }
  get metadata(): Readonly<Record<string, string>> {
    return this.#metadata ?? textsIn(this.getAttribute('metadata'))
  }
  set metadata(value: Readonly<Record<string, string>>) {
    this.#metadata = value
  }

  get files(): readonly LandfallFile[] {
    return (this.#uploader?.items ?? []).map((item) => this.#viewOf(item))
  }
  get value(): readonly string[] {
    const items = this.#uploader?.items ?? []
    return items.flatMap(({ state, url }) => (state === 'finished' && url !== null ? [url] : []))
  }

  get form(): HTMLFormElement | null {
    return this.#internals.form
  }
  get validity(): ValidityState {
    return this.#internals.validity
  }
  get validationMessage(): string {
    return this.#internals.validationMessage
  }
  override focus(options?: FocusOptions): void {
    this.#uploader?.anchor.focus(options)
  }
  checkValidity(): boolean {
    return this.#internals.checkValidity()
  }
  reportValidity(): boolean {
    return this.#internals.reportValidity()
  }

  async add(files: Iterable<File>): Promise<void> {
    await this.#uploader?.add([...files].map(plainFile))
  }

  start(): void {
    this.resume()
  }

  pause(id?: string): void {
    if (id === undefined) this.#panel?.list.pauseAll()
    else this.#item(id)?.pause()
  }

  resume(id?: string): void {
    const item = id === undefined ? undefined : this.#item(id)
    if (id === undefined) void this.#panel?.list.resumeAll()
    else if (item !== undefined) void this.#panel?.list.resume(item)
  }

  cancel(id?: string): void {
    const item = id === undefined ? undefined : this.#item(id)
    if (id === undefined) this.#panel?.cancelAll()
    else if (item !== undefined) void this.#panel?.cancel(item)
  }

  retry(id?: string): void {
    if (id === undefined) this.#panel?.list.retryAll()
    else this.#item(id)?.queue()
  }

  clear(): void {
    this.#uploader?.clear()
  }

  #begin(): void {
    this.#adoptInput()
    this.#left = new AbortController()
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [styleSheet()]
    root.replaceChildren()
    const events = {
      beforeAdd: (files: readonly File[]) => this.#dispatch('before-add', { files }, true),
      happened: (item: UploadItem, what: Happening) => this.#dispatch(what, { file: this.#viewOf(item) }),
      removed: (item: UploadItem) => this.#dispatch('remove', { file: this.#viewOf(item) }),
      total: (counts: Counts, isComplete: boolean) => this.#totalChanged(counts, isComplete),
      over: (isOver: boolean) => this.#setState('dragging', isOver),
    }
    this.#uploader = new Uploader(root, this.#options(), events, this.#left.signal)
    const { visitor } = this.#uploader.service
    visitor.moreHeaders = () => this.#headers?.() ?? {}
    this.#uploader.begin(this.#token)
  }

  #end(): void {
    this.#left.abort()
    this.#uploader = null
  }

  /** An input of the page, which works without JavaScript, gives its attributes, and must not be sent with a form. */
  #adoptInput(): void {
    const input = this.querySelector('input[type=file]')
    if (!(input instanceof HTMLInputElement)) return
    for (const name of ['accept', 'multiple', 'name', 'required']) {
      const value = input.getAttribute(name)
      if (value !== null && !this.hasAttribute(name)) this.setAttribute(name, value)
    }
    input.disabled = true
    input.hidden = true
  }

  /** The attributes and properties, which may change. */
  #options(): UploaderOptions {
    const element = this
    return {
      get endpoint() {
        return element.endpoint
      },
      get isMultiple() {
        return element.multiple
      },
      get accept() {
        return element.accept
      },
      get hasFolders() {
        return element.directory
      },
      get isDisabled() {
        return element.disabled || element.#isFormDisabled
      },
      get takesDrops() {
        return !element.hasAttribute('no-drop')
      },
      get ownsPage() {
        return element.hasAttribute('page')
      },
      get hasList() {
        return !element.hasAttribute('no-list')
      },
      get languages() {
        return element.#languages()
      },
      get chunkSize() {
        return element.chunkSize || Number.POSITIVE_INFINITY
      },
      get parallel() {
        return element.parallel
      },
      get isManual() {
        return element.manual
      },
      get limits(): Limits {
        const { maxSize } = element
        return { ...(maxSize > 0 && { maxSize }), ...typesIn(element.accept) }
      },
      get maxFiles() {
        return element.multiple ? element.maxFiles : MAX_FILES
      },
      get checksum() {
        return element.checksum.toLowerCase() === 'sha-256'
      },
      get isDraft() {
        return element.protocol.toLowerCase() === 'draft'
      },
      get resumes() {
        return element.getAttribute('resume') !== 'off'
      },
      get metadata() {
        return element.metadata
      },
      get findFinished() {
        return element.findFinished
      },
    }
  }

  #languages(): readonly string[] {
    if (this.locale !== '') return [this.locale]
    const lang = this.closest('[lang]')?.getAttribute('lang') ?? ''
    return lang === '' ? navigator.languages : [lang]
  }

  get #panel(): FilesPanel | null {
    return this.#uploader?.panel ?? null
  }

  #item(id: string): UploadItem | undefined {
    return this.#uploader?.items.find((item) => item.id === id)
  }

  #viewOf(item: UploadItem): LandfallFile {
    const { id, name, path, type, size, sent, state, url, problem } = item
    const error = problem === null ? null : (this.#uploader?.language.say(problem) ?? '')
    return { id, name, path, type, size, sent, state, url, error }
  }

  /** Returns whether no listener prevented it. */
  #dispatch(name: string, detail: unknown, cancelable = false): boolean {
    return this.dispatchEvent(
      new CustomEvent(`landfall-${name}`, { detail, bubbles: true, composed: true, cancelable }),
    )
  }

  #totalChanged(total: Counts, isComplete: boolean): void {
    const was = this.#total
    this.#total = total
    this.#setState('uploading', total.running > 0)
    this.#setState('paused', total.running === 0 && total.paused > 0)
    this.#setState('error', total.failed > 0)
    this.#setState('complete', total.running === 0 && total.finished > 0 && total.finished === total.all)
    if (was?.finished !== total.finished || was.running !== total.running) this.#updateForm(total)
    if (isComplete) this.#dispatch('complete', { files: this.files })
  }

  #updateForm({ running, finished }: Counts): void {
    const { name, required } = this
    const data = new FormData()
    if (name !== '') for (const url of this.value) data.append(name, url)
    this.#internals.setFormValue(name === '' ? null : data)
    const uploader = this.#uploader
    if (uploader === null || (running === 0 && !(required && finished === 0))) this.#internals.setValidity({})
    else if (running > 0) {
      this.#internals.setValidity({ customError: true }, uploader.language.t('form.running'), uploader.anchor)
    } else this.#internals.setValidity({ valueMissing: true }, uploader.language.t('form.required'), uploader.anchor)
  }

  #setState(name: (typeof STATES)[number], isOn: boolean): void {
    try {
      if (isOn) this.#internals.states.add(name)
      else this.#internals.states.delete(name)
    } catch {
      // Older browsers have no custom states, or want dashes in their names.
    }
  }

  #upgrade(name: 'token' | 'headers' | 'metadata'): void {
    if (!Object.hasOwn(this, name)) return
    const own = Object.getOwnPropertyDescriptor(this, name)
    Reflect.deleteProperty(this, name)
    if (own !== undefined) Reflect.set(this, name, own.value)
  }
}

/** The extensions and types of an `accept` attribute, as limits; wildcards like `image/*` too. */
function typesIn(accept: string): Limits {
  const types = accept.split(',').flatMap((type) => type.trim() || [])
  return types.length === 0 ? {} : { types }
}
