import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from 'koa'
import { MAX_WAIT, SCAN_WAIT } from '../../server/core/deadline.ts'
import { UploadError } from '../../server/core/errors.ts'
import type { Action } from '../../server/core/principal.ts'
import { covers } from '../../server/core/ranges.ts'
import { nameOf as fileNameOf, newRecord, type UploadRecord } from '../../server/core/record.ts'
import { unlessMissing } from '../../server/core/unless-missing.ts'
import type { Upload } from '../../server/core/upload.ts'
import { discardBody } from '../../server/http/discard-body.ts'
import type { Admit } from '../../server/protocol/admit.ts'
import { refuseCodings } from '../../server/protocol/content-coding.ts'
import { withBody } from '../../server/protocol/request-body.ts'
import { acceptance } from '../accept.ts'
import { type Caller, isOfSameNetwork, isVisible } from '../caller.ts'
import type { ChunkRequest } from '../chunk-request.ts'
import { completedFile } from '../complete.ts'
import { FieldList, type Fields, oneOf, type RequestFields } from '../fields.ts'
import { identityOf, taskOf } from '../identity.ts'
import { now } from '../live-uploads.ts'
import { placeChunk } from '../place-chunk.ts'
import type { Destination } from '../placing.ts'
import { readBodyFields } from '../small-body.ts'
import type { ChunkSet } from '../which-upload.ts'
import { chunksToSkip } from './has-chunk.ts'
import type { OpenDialect } from './open-dialect.ts'
import { canonicalFields, isChunk, looksAlike, queryOf, readChunk, type WholeFile } from './read-chunk.ts'
import type { References } from './reference.ts'
import { nameOf, RequestValues } from './request-values.ts'
import { RewindableSource } from './rewindable.ts'
import { type CreateRole, type FinishRole, hasOpenEnd, type RemoveRole, type TestRole } from './schema.ts'
import type { HeldFile } from './scratch.ts'
import { endOpenFile, putFile } from './sent-file.ts'
import { statedCount } from './stated-place.ts'
import { fill, type Template, type Variables } from './template.ts'

/** What clients may delete: as TERMINATION. */
export type Termination = 'on' | 'unfinished' | 'off'

/** A call without a file, read to its end. */
interface Call {
  readonly ctx: Context
  readonly values: RequestValues
  readonly tokens: readonly string[]
  readonly admit: Admit
}

/** The handlers of one dialect. Each throws `UploadError`. */
export class DialectHandlers {
  readonly open: OpenDialect
  readonly #termination: Termination

  constructor(open: OpenDialect, termination: Termination) {
    this.open = open
    this.#termination = termination
  }

  /** Stores a chunk, or a whole file. @param pattern the path of the route. */
  async chunk(ctx: Context, pattern: string, admit: Admit): Promise<void> {
    const { dialect, tools } = this.open
    ctx.set('Cache-Control', 'no-store')
    refuseCodings(ctx.headers)
    const asWriter: Admit = (credentials) => admit({ ...credentials, actions: WRITE })
    let held: HeldFile | undefined
    const hold = (file: HeldFile): void => {
      held = file
    }
    const variables = await withBody(
      ctx,
      tools.options.idleTimeout,
      async (body): Promise<Variables> => {
        const request = await readChunk(ctx, body, pattern, asWriter, this.open, hold)
        if (!isChunk(request)) return this.#wholeFile(ctx, request)
        const { fields, place } = request
        // Only a name and a size identify the file whose other chunks are stored.
        if (request.stated?.resumes && !fields.has('content')) return tools.placing.beginAgain(request)
        return this.#placed(request, async (destination) => {
          const shown = await placeChunk(request, destination, tools)
          await this.#untilFinished(destination.upload)
          const { ok: _, ...accepted } = await acceptance(ctx, request, destination, shown, tools.options)
          const at = dialect.place?.by === 'index' ? dialect.place.base : 0
          return {
            ...accepted,
            chunk: place.chunk + at,
            name: fields.get('name')?.[0],
            task: fields.get('task_id')?.[0],
          }
        })
      },
      'held',
    ).finally(() => held?.close())
    answer(ctx, dialect.answer.stored, variables)
  }

  /**
   * Runs `work` on the upload of a chunk. A chunk 0 that differs from the stored one begins a new upload: libraries that
   * do not retry would fail, and nothing was skipped yet.
   */
  async #placed(request: ChunkRequest, work: (destination: Destination) => Promise<Variables>): Promise<Variables> {
    const { placing } = this.open.tools
    if (looksAlike(this.open.dialect)) await this.#untilFirstIsDecided(request)
    try {
      return await placing.find(request, work)
    } catch (error) {
      const { file } = request
      const differs = error instanceof UploadError && error.code === 'content_differs'
      if (!differs || !(file instanceof RewindableSource) || file.compared === undefined) throw error
      return request.caller.desk.use(file.compared, async (upload) => {
        const equal = { start: 0, end: file.passed }
        if (!covers(upload.received, equal)) throw error
        file.rewind(upload.read(equal))
        return placing.find(request, work)
      })
    }
  }

  /**
   * Waits for the file of a whole upload if no later request would ask for it. A chunk that is sent again is only
   * compared.
   *
   * @throws UploadError `scanning`, and what `Upload.finish` throws.
   */
  async #untilFinished(upload: Upload): Promise<void> {
    if (this.open.dialect.finish.length > 0 || upload.state === 'receiving') return
    await upload.finish(MAX_WAIT, SCAN_WAIT)
  }

  /**
   * Holds a chunk while a chunk 0 may show that another file is meant. After a pause, the page may have selected a file
   * again, and its first chunk may be just behind this one.
   */
  async #untilFirstIsDecided({ place, identities, key }: ChunkRequest): Promise<void> {
    if (place.chunk === 0) return
    const { live, senders } = this.open.tools
    const deadline = now() + MAX_WAIT
    const known = senders.knownUpload(key)
    // Almost every chunk takes this path, so it does not compute the identity.
    const isOwn = known?.id.startsWith(`${known.group}.`) === true
    await senders.use(isOwn ? known.firstId : identities().own.firstId, async (pending) => {
      const isNew = known === undefined || live.isAtRest(known.id)
      if (isNew && !pending.isComparing && !pending.hasBegun) {
        await Promise.race([pending.decided, delay(FIRST_IS_BEHIND, undefined, { ref: false })])
      }
      while (pending.isComparing) await pending.untilDecided(pending.decided, deadline)
    })
  }

  /** Answers a call without a file by the role that its values fit. */
  async call(ctx: Context, pattern: string, roles: Roles, admit: Admit): Promise<void> {
    ctx.set('Cache-Control', 'no-store')
    const query = queryOf(ctx, this.open)
    const list = new FieldList(this.open.read, this.open.tools.options.tokenField)
    const { fields, tokens }: RequestFields = await readBodyFields(ctx, list, this.open.tools)
    const call = {
      ctx,
      values: new RequestValues(ctx, pattern, this.open.tasks, query.fields, fields),
      tokens: [...query.tokens, ...tokens],
      admit,
    }
    const fits = ({ when }: CreateRole | TestRole | FinishRole | RemoveRole): boolean =>
      when.every(({ references, value }) => call.values.get(references) === value)
    const create = roles.create.find(fits)
    if (create !== undefined) return this.#create(call, create)
    const test = roles.test.find(fits)
    if (test !== undefined) return this.#test(call, test)
    const finish = roles.finish.find(fits)
    if (finish !== undefined) return this.#finish(call, finish)
    const remove = roles.remove.find(fits)
    if (remove !== undefined) return this.#remove(call, remove)
    throw new UploadError('bad_field', 'The request fits no role of this dialect.')
  }

  /** Whether the query alone shows that a request is no chunk. */
  isCall(ctx: Context, pattern: string, { create, test, finish, remove }: Roles): boolean {
    const { fields } = queryOf(ctx, this.open)
    const values = new RequestValues(ctx, pattern, this.open.tasks, fields)
    return [...create, ...test, ...finish, ...remove].some(
      ({ when }) => when.length > 0 && when.every(({ references, value }) => values.get(references) === value),
    )
  }

  /** Issues a task. Its upload begins with its first chunk. */
  async #create({ ctx, values, tokens, admit }: Call, { keep, done }: CreateRole): Promise<void> {
    const { issued } = this.open.tasks
    if (issued === undefined) throw new UploadError('internal', 'This dialect issues no tasks.')
    const kept = new Map<string, string>()
    for (const [name, references] of Object.entries(keep)) {
      const value = values.get(references)
      if (value !== undefined) kept.set(name, value)
    }
    const { tokenField = '' } = this.open.tools.options
    const { fields } = this.open.dialect
    const keptName = (references: References | undefined): string | undefined =>
      kept.get(references?.find(({ source }) => source === 'kept')?.name ?? '')
    const size = keptName(fields.size)
    const length = size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : null
    const upload = { length, name: keptName(fields.name) }
    const desk = await admit({ token: oneOf(tokens, tokenField), actions: WRITE, upload })
    desk.checkSize(length)
    answer(ctx, done, { task: issued.issue(kept), name: upload.name, size: length ?? undefined })
  }

  /** A page whose question fails may never start to upload, while sending a chunk again costs only time. */
  async #test(call: Call, role: TestRole): Promise<void> {
    const { ctx } = call
    const skipped = role.have === undefined && role.list === undefined ? [] : await this.#skipped(call, role)
    ctx.remove('WWW-Authenticate')
    if (role.list !== undefined) {
      const base = this.#base
      const numbers = skipped.flatMap(({ start, end }) =>
        Array.from({ length: end - start }, (_, n) => start + n + base),
      )
      const { as, answer: list } = role.list
      const name = call.values.get(role.name ?? this.open.dialect.fields.name)
      const named = (chunk: number): string =>
        as === 'string'
          ? String(chunk)
          : as.replace(/\{(\w+)\}/g, (_, word) => (word === 'chunk' ? String(chunk) : (facts.get(word) ?? '')))
      const ext = /\.([^.]*)$/.exec(name ?? '')?.[1] ?? ''
      const facts = new Map([
        ['task', call.values.get(role.task ?? this.open.dialect.fields.task) ?? ''],
        ['name', name ?? ''],
        ['ext', ext],
      ])
      answer(ctx, list, { have: as === 'number' ? numbers : numbers.map(named), name })
    } else if (skipped.length > 0 && role.have !== undefined) answer(ctx, role.have, {})
    else answer(ctx, role.need ?? NEED, {})
    discardBody(ctx)
  }

  async #skipped(call: Call, role: TestRole): Promise<ChunkSet> {
    try {
      const { values } = call
      const index = role.list === undefined ? this.#index(call, role) : undefined
      if (role.list === undefined && index === undefined) return []
      const { dialect, tools } = this.open
      const caller = await this.#caller(call, ASK)
      const fields = this.#fields(call, role, index)
      const length = values.whole(role.length ?? (dialect.place?.by === 'index' ? dialect.place.length : undefined))
      const asked = { fields, byTask: role.of === 'task', chunk: index, length }
      if (asked.byTask && !fields.has('task_id')) return []
      return await chunksToSkip(asked, call.ctx.ip, caller, tools)
    } catch (error) {
      if (error instanceof UploadError) return []
      throw error
    }
  }

  async #finish(call: Call, role: FinishRole): Promise<void> {
    const { ctx, values } = call
    const { tools } = this.open
    const caller = await this.#caller(call, ASK)
    const fields = new Map<string, readonly string[]>([['task_id', [this.#task(call, role)]]])
    const name = values.get(role.name)
    const ext = values.get(role.ext)
    if (name !== undefined) fields.set('filename', [name])
    else if (ext !== undefined) fields.set('ext', [ext])
    try {
      const stated = { size: values.whole(role.size), count: values.whole(role.count) }
      const atEnd = (upload: Upload): Promise<void> => endOpenFile(upload, stated)
      const record = await completedFile(
        fields,
        ctx.ip,
        caller,
        tools,
        hasOpenEnd(this.open.dialect) ? atEnd : undefined,
      )
      this.#checkContent(call, record, caller)
      const { id, length, answer: result } = record
      const knowsTask = !this.open.dialect.fields.guessable && isOfSameNetwork(record, caller)
      const isCallers = record.webUploader?.visitor !== undefined || knowsTask
      answer(ctx, role.done, {
        ...(isCallers && { id, url: tools.options.urlOf(ctx, id), result: result?.result }),
        name: fileNameOf(record.metadata) || record.fileName,
        size: length,
        received: length,
        finished: true,
        task: this.#task(call, role),
      })
    } catch (error) {
      if (!(error instanceof UploadError) || error.code !== 'incomplete') throw error
      const { code, message, details } = error
      answer(ctx, role.missing, {
        code,
        message,
        missing: details !== undefined && 'missing' in details ? details.missing : [],
      })
    }
  }

  /** A page that remembers what it has sent may mean another file of one name and one size. @throws UploadError `not_found`. */
  #checkContent({ ctx, values }: Call, { webUploader }: UploadRecord, { owner }: Caller): void {
    const { dialect, tools } = this.open
    if (values.get(dialect.fields.content) === undefined) return
    const fields = canonicalFields(dialect, values)
    const { further } = identityOf({ fields, name: undefined }, owner, ctx.ip, tools.options.rules)
    if (further === webUploader?.further) return
    throw new UploadError('not_found', 'No file of this content was uploaded.')
  }

  async #remove(call: Call, role: RemoveRole): Promise<void> {
    if (this.#termination === 'off') throw new UploadError('forbidden', 'This service deletes no uploads.')
    const { live, options } = this.open.tools
    const caller = await this.#caller(call, DELETE)
    const fields = new Map([['task_id', [this.#task(call, role)]]])
    const { group } = taskOf(fields, caller.owner, call.ctx.ip, options.rules)
    await live.ready()
    const ids = await live.allOfTask(group)
    if (ids.length > MOST_REMOVED) throw new UploadError('ambiguous', 'This task has too many files to delete them.')
    const onlyIncomplete = this.#termination !== 'on'
    for (const id of ids) {
      await unlessMissing(
        caller.desk.use(id, async (upload) => {
          const { record } = upload
          const isOwn = record.webUploader?.visitor !== undefined || record.owner !== undefined
          if (isVisible(record, caller) && (isOwn || isOfSameNetwork(record, caller))) {
            await upload.terminate({ onlyIncomplete })
          }
        }),
      )
    }
    answer(call.ctx, role.done, {})
  }

  async #wholeFile(ctx: Context, { desk, sent, metadata }: WholeFile): Promise<Variables> {
    const { rules, urlOf } = this.open.tools.options
    return desk.createTentatively(newRecord({ length: null, metadata }, rules.node), async (upload) => {
      await putFile(upload, sent, desk)
      // Sent again, it would be a second upload.
      await upload.settle(MAX_WAIT)
      const { id, length, answer: result } = upload.record
      const finished = upload.state === 'finished'
      const { filename } = metadata
      return {
        id,
        url: urlOf(ctx, id),
        size: length,
        received: length,
        finished,
        name: filename,
        result: result?.result,
      }
    })
  }

  async #caller({ ctx, tokens, admit }: Call, actions: readonly Action[]): Promise<Caller> {
    const { tokenField = '', visitors } = this.open.tools.options
    return visitors.callerOf(ctx, await admit({ token: oneOf(tokens, tokenField), actions }))
  }

  /** @throws UploadError `missing_field`. */
  #task({ values }: Call, { task }: FinishRole | RemoveRole): string {
    const references = task ?? this.open.dialect.fields.task
    const value = values.task(references)
    if (value === undefined) throw new UploadError('missing_field', `${nameOf(references)} is missing.`)
    return value
  }

  #fields({ values }: Call, { task, name }: TestRole, index: number | undefined): Fields {
    const { dialect } = this.open
    const { fields, place } = dialect
    const named = { ...dialect, fields: { ...fields, name: name ?? fields.name } }
    const chunks = place?.by === 'index' ? statedCount(place, fields.size, values) : undefined
    return canonicalFields(named, values, { chunks, chunk: index, task: values.task(task) })
  }

  /** The chunk that a page asks for, from 0. */
  #index({ values }: Call, { index }: TestRole): number | undefined {
    const { place } = this.open.dialect
    const number = values.whole(index ?? (place?.by === 'index' ? place.index : undefined))
    return number === undefined ? undefined : number - this.#base
  }

  get #base(): number {
    const { place } = this.open.dialect
    return place?.by === 'index' ? place.base : 0
  }
}

/** The roles without a file that share a method and a path. */
export interface Roles {
  readonly create: readonly CreateRole[]
  readonly test: readonly TestRole[]
  readonly finish: readonly FinishRole[]
  readonly remove: readonly RemoveRole[]
}

const WRITE: readonly Action[] = ['write']
const ASK: readonly Action[] = ['ask']
const DELETE: readonly Action[] = ['delete']
const NEED: Template = { status: 200 }
/** How long chunk 0 of a page may be behind another chunk, in milliseconds. */
const FIRST_IS_BEHIND = 1_000
/** Maximum files that one call deletes. */
const MOST_REMOVED = 100

/** Responds. Koa would answer 204 to an empty body without a status. */
export function answer(ctx: Context, template: Template, variables: Variables): void {
  const { status, type, body } = fill(template, variables)
  ctx.status = status
  if (type !== undefined) ctx.type = type
  if (status !== 204) ctx.body = body
}
