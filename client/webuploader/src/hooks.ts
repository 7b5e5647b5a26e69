import { Attempt } from './attempt.ts'
import { FormValues } from './form-values.ts'
import type {
  Block,
  Call,
  Deferred,
  Library,
  QueuedFile,
  Thenable,
  Transport,
  Uploader,
  UploadWidget,
} from './library.ts'
import { PatientChunk, problemOf } from './patient-chunk.ts'
import { answerOf } from './server.ts'
import { serverAt } from './servers.ts'

/** How often a page asks for a file that the service scans, or that it cannot ask for. Milliseconds. */
const ASK_AGAIN = 2_000
/** How often it asks without an answer. */
const MAX_UNANSWERED = 150
/** Codes after which the file is sent again, and those after which the page asks again. */
const INCOMPLETE = ['incomplete', 'not_found']
const TEMPORARY = ['unreachable', 'busy', 'too_many_requests', 'moved', 'stopping', 'storage_error', 'auth_unavailable']

type Request = readonly [name: string, subject: unknown, callback: Call]

/** Stands between WebUploader and one of its uploaders, at its commands and events. */
export class Hooks {
  readonly #uploader: Uploader
  readonly #newDeferred: () => Deferred
  readonly #base: string
  readonly #request: Uploader['request']
  readonly #trigger: Uploader['trigger']
  readonly #attempts = new WeakMap<QueuedFile, Attempt>()
  readonly #values: FormValues
  /** The latest run of the hooks of each chunk. */
  readonly #runs = new WeakMap<Block, object>()

  /** @param base of the service, if the URL for chunks does not tell it. */
  constructor(uploader: Uploader, { Base }: Library, base: string) {
    this.#uploader = uploader
    this.#newDeferred = Base.Deferred
    this.#base = base
    this.#request = uploader.request
    this.#trigger = uploader.trigger
    this.#values = new FormValues(() => uploader.options.formData ?? {})
    uploader.request = (name, subject, callback) => this.#onRequest(name, subject, callback)
    uploader.trigger = (type, ...values) => this.#onEvent(type, values)
  }

  #onRequest(name: string, subject: unknown, callback: Call | undefined): unknown {
    const first = isList(subject) ? subject[0] : subject
    if (callback !== undefined) {
      const request = [name, subject, callback] as const
      if (name === 'before-send-file' && isFile(first)) return this.#beforeFile(first, request)
      const file = isBlock(first) ? first.file : first
      const attempt = isFile(file) ? this.#attempts.get(file) : undefined
      if (attempt !== undefined && name === 'before-send' && isBlock(first)) {
        return this.#beforeChunk(first, attempt, request)
      }
      if (attempt !== undefined && name === 'after-send-file') return this.#afterFile(attempt, request)
    }
    return this.#request.call(this.#uploader, name, subject, callback)
  }

  /** The hooks of the page come first: they may replace an image by a smaller one. */
  #beforeFile(file: QueuedFile, [name, subject, callback]: Request): unknown {
    const hooksEnd = this.#values.whileHooksRun()
    return this.#request.call(this.#uploader, name, subject, (...results) => {
      hooksEnd()
      return this.#eventually(async () => {
        await this.#prepare(file).catch(() => this.#attempts.delete(file))
        const result = callback(...results)
        // WebUploader 0.1.1 fires `uploadStart` only now.
        this.#values.keep(file)
        return result
      })
    })
  }

  async #prepare(file: QueuedFile): Promise<void> {
    const uploader = this.#uploader
    const server = await serverAt(uploader, this.#base)
    const last = this.#attempts.get(file)
    const attempt = server && (await Attempt.begin(uploader, server, file, last))
    if (attempt === undefined) {
      this.#attempts.delete(file)
      return
    }
    this.#attempts.set(file, attempt)
    const stored = await attempt.findStored()
    if (stored === undefined || isOver(file)) return
    attempt.stored = stored
    uploader.skipFile(file)
  }

  /** Decides whether a chunk is sent. A page that skips chunks by a list of its own may mean another file. */
  #beforeChunk(block: Block, attempt: Attempt, [name, subject, callback]: Request): Thenable {
    const { file } = block
    const deferred = this.#newDeferred()
    const run = {}
    this.#runs.set(block, run)
    this.#values.noteChunk()
    const next = async (): Promise<void> => {
      const verdict = await attempt.judge(block)
      // WebUploader up to 0.1.6 drops chunks whose hooks end during a pause.
      while (verdict !== 'there' && file.getStatus() === 'interrupt') {
        await new Promise<void>((resolve) => file.once('statuschange', resolve))
      }
      if (this.#runs.get(block) !== run) return
      const isStale = file.blocks?.[block.chunk] !== block
      if (isStale || verdict === 'other') this.#discard(block)
      if (isStale) return
      if (verdict === 'missing') deferred.resolve(callback())
      else if (verdict === 'there') deferred.reject()
      else {
        attempt.beginAnew()
        file.setStatus('error')
        this.#sendAgain(file)
      }
    }
    const settle = (): void => void next()
    const hooks = this.#request.call(this.#uploader, name, subject, () => undefined)
    if (isThenable(hooks)) hooks.then(settle, settle)
    return deferred.promise()
  }

  /** Frees the thread of a chunk whose file has begun again. */
  #discard(block: Block): void {
    const widget = this.#uploader._widgets.find(isUploadWidget)
    const at = widget?.pool.indexOf(block) ?? -1
    if (widget === undefined || at < 0) return
    widget.pool.splice(at, 1)
    widget.remaning -= 1
    setTimeout(widget.__tick)
  }

  /** WebUploader has sent all chunks that it knows: only the service knows whether the file is there. */
  #afterFile(attempt: Attempt, [name, subject, callback]: Request): unknown {
    return this.#request.call(this.#uploader, name, subject, (...results) =>
      this.#eventually(async () => {
        await this.#confirm(attempt)
        return callback(...results)
      }),
    )
  }

  /** Rejects with a code if the file is not there. */
  async #confirm(attempt: Attempt): Promise<void> {
    const { file } = attempt
    for (let unanswered = 0; attempt.stored === undefined; ) {
      const answer = await attempt.complete().catch(() => answerOf({ error: { code: 'unreachable' } }))
      const { code = '', ok } = answer
      if (isOver(file)) throw 'cancelled'
      if (ok) attempt.stored = answer
      else if (INCOMPLETE.includes(code) && attempt.restart(false)) throw code
      else if (code === 'scanning' || (TEMPORARY.includes(code) && ++unanswered < MAX_UNANSWERED)) {
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN))
      } else {
        if (code === 'rejected') attempt.end()
        this.#uploader.trigger('landfallFailed', file, problemOf(answer, 0))
        throw code
      }
    }
    attempt.end()
    this.#uploader.trigger('landfallStored', file, attempt.stored.body)
  }

  #onEvent(type: string, values: readonly unknown[]): unknown {
    const [subject, detail, headers] = values
    const file = isBlock(subject) ? subject.file : subject
    const pass = (...changed: readonly unknown[]): unknown => this.#trigger.call(this.#uploader, type, ...changed)
    if (type === 'uploadStart') return this.#values.whileStarting(() => pass(...values))
    const attempt = isFile(file) ? this.#attempts.get(file) : undefined
    if (attempt === undefined) return pass(...values)
    if (attempt.isRestarting && (type === 'uploadError' || type === 'uploadComplete')) {
      if (type === 'uploadComplete') this.#sendAgain(attempt.file)
      return true
    }
    // If no chunk was sent, the page learns the answer that the last one would have got.
    if (type === 'uploadSuccess' && detail === undefined) return pass(subject, attempt.stored?.body)
    const result = pass(...values)
    if (isBlock(subject) && type === 'uploadAccept') attempt.accept(subject, answerOf(detail))
    // A rehearsal has no transport.
    if (isBlock(subject) && type === 'uploadBeforeSend' && subject.transport !== undefined) {
      this.#decorate(subject, subject.transport, attempt, detail, headers)
    }
    return result
  }

  #decorate(block: Block, transport: Transport, attempt: Attempt, data: unknown, headers: unknown): void {
    if (!isRecord(data) || !isRecord(headers)) return
    this.#values.restore(block.file, data)
    attempt.describe(data, headers)
    new PatientChunk(this.#uploader, attempt, block, transport)
  }

  /** Ends the requests of a file as WebUploader does after an error, and puts it into the queue again. */
  #sendAgain(file: QueuedFile): void {
    for (const block of file.blocks ?? []) {
      block.transport?.abort()
      block.transport?.destroy()
      delete block.transport
    }
    delete file.blocks
    delete file.remaning
    if (file.getStatus() === 'error') this.#uploader.retry(file, true)
  }

  /** jQuery's promise for an asynchronous function: old versions accept no other. */
  #eventually(run: () => Promise<unknown>): Thenable {
    const deferred = this.#newDeferred()
    run().then(
      (value) => deferred.resolve(value),
      (reason) => deferred.reject(reason),
    )
    return deferred.promise()
  }
}

/** Whether the page or the visitor has ended the file. */
function isOver(file: QueuedFile): boolean {
  return ['cancelled', 'invalid', 'error'].includes(file.getStatus())
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return isRecord(value) && typeof value['length'] === 'number'
}

function isFile(value: unknown): value is QueuedFile {
  return isRecord(value) && typeof value['getStatus'] === 'function'
}

function isBlock(value: unknown): value is Block {
  return isRecord(value) && typeof value['chunk'] === 'number' && isFile(value['file'])
}

function isThenable(value: unknown): value is Thenable {
  return isRecord(value) && typeof value['then'] === 'function'
}

function isUploadWidget(widget: Partial<UploadWidget>): widget is UploadWidget {
  return widget.pool !== undefined && widget.__tick !== undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
