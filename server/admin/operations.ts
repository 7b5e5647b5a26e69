import { z } from 'zod'
import { createUploadToken } from '../auth/upload-tokens.ts'
import { UploadError } from '../core/errors.ts'
import type { Upload } from '../core/upload.ts'
import type { Uploads } from '../core/uploads.ts'
import { download } from '../download/download.ts'
import { fileOf } from '../download/handlers.ts'
import type { KeptEvents } from '../kept-events.ts'
import type { AdminIndex } from './admin-index.ts'
import {
  type DeadLetterLine,
  deadLetterPage,
  deadLetterParam,
  deadLettersQuery,
  deleteQuery,
  eventsQuery,
  idParam,
  interrupted,
  listQuery,
  type SettingsAnswer,
  type Stats,
  serverEvent,
  settings,
  stats,
  sweepRequest,
  sweepResult,
  token,
  tokenRequest,
  type UploadDetails,
  type UploadLine,
  uploadDetails,
  uploadLine,
  uploadPage,
} from './contract.ts'
import { letterIdOf } from './details.ts'
import type { EventStreams } from './event-streams.ts'
import { type Operation, operation } from './operation.ts'
import { factsOf, lineOf, rowOf, type UploadFacts } from './upload-facts.ts'

/** How long an act waits for the file of an upload, in milliseconds; it goes on without the request. */
const MAX_WAIT = 10_000

/** What the operations work with. */
export interface OperationDependencies {
  readonly uploads: Uploads
  readonly index: AdminIndex
  readonly streams: EventStreams
  readonly events: KeptEvents
  readonly stats: () => Promise<Stats>
  readonly detailsOf: (facts: UploadFacts) => Promise<UploadDetails>
  readonly shownSettings: () => SettingsAnswer
  /** The key of upload tokens; `undefined` unless clients have tokens (AUTH=jwt). */
  readonly tokenKey: Buffer | undefined
  /** How long an unfinished upload stays after its last byte, in milliseconds. */
  readonly expiresAfter: number
  /** A clock that never makes an upload seem older than it is, in milliseconds since 1970. */
  readonly now: () => number
  /** The origin of the URL of an endpoint, by the name that its dead letters have. */
  readonly originOf: (endpoint: string) => string | null
}

/** The table of all operations but the one that describes them. */
export function operationsOf(dependencies: OperationDependencies): readonly Operation[] {
  return [...uploadOperations(dependencies), ...actsOnUploads(dependencies), ...otherOperations(dependencies)]
}

function uploadOperations({
  uploads,
  index,
  streams,
  detailsOf,
  expiresAfter,
}: OperationDependencies): readonly Operation[] {
  return [
    operation({
      id: 'listUploads',
      method: 'GET',
      path: '/uploads',
      summary: 'Lists, filters, searches, and sorts uploads.',
      query: listQuery,
      status: 200,
      answer: uploadPage,
      errors: ['index_building'],
      run: async ({ query }) => {
        const { rows, next, total } = await index.page(query)
        return { uploads: rows.map((row) => lineOf(row, expiresAfter)), next, total }
      },
    }),
    operation({
      id: 'showUpload',
      method: 'GET',
      path: '/uploads/:id',
      summary: 'Shows one upload with its ranges, rate, requests, and errors.',
      params: idParam,
      status: 200,
      answer: uploadDetails,
      errors: ['not_found', 'gone', 'storage_error'],
      run: async ({ params: { id } }) => {
        try {
          return await detailsOf(await factsOf(uploads, id))
        } catch (error) {
          // On another node, or by hand: the index has not noticed.
          if (error instanceof UploadError && (error.code === 'gone' || error.code === 'not_found')) index.note(id)
          throw error
        }
      },
    }),
    operation({
      id: 'downloadUpload',
      method: 'GET',
      path: '/uploads/:id/content',
      summary: 'Downloads a finished file; ranges and conditions work.',
      act: 'download',
      params: idParam,
      status: 200,
      answer: { stream: 'application/octet-stream' },
      errors: ['not_found', 'gone', 'wrong_state', 'storage_error', 'precondition_failed', 'range_not_satisfiable'],
      run: async ({ ctx, params: { id } }) =>
        uploads.use(id, async (upload) => {
          await upload.confirm()
          const file = fileOf(upload)
          if (file === undefined) throw new UploadError('wrong_state', 'This upload is not finished.')
          await download(ctx, file)
        }),
    }),
    operation({
      id: 'followEvents',
      method: 'GET',
      path: '/events',
      summary: 'Sends what happens to uploads, as server-sent events.',
      query: eventsQuery,
      status: 200,
      answer: { stream: 'text/event-stream', of: serverEvent },
      errors: ['busy'],
      run: async ({ ctx, query }) => {
        streams.open(ctx.res, query.upload)
        ctx.respond = false
      },
    }),
  ]
}

function actsOnUploads({ uploads, index, expiresAfter }: OperationDependencies): readonly Operation[] {
  const lineAfter = async (id: string, act: (upload: Upload) => Promise<void>): Promise<UploadLine> => {
    await uploads.use(id, act)
    index.note(id)
    const facts = await factsOf(uploads, id)
    return lineOf(rowOf(facts), expiresAfter, facts.record.failed?.message)
  }
  const common = { method: 'POST', params: idParam, status: 200 } as const
  return [
    operation({
      ...common,
      id: 'interruptUpload',
      path: '/uploads/:id/interrupt',
      summary: 'Ends the requests that send bytes on this node. The bytes stay, and clients may resume.',
      act: 'interrupt',
      answer: interrupted,
      errors: ['not_found', 'gone'],
      run: async ({ params: { id } }) => {
        const live = uploads.peek(id)
        if (live === undefined) await factsOf(uploads, id)
        const reason = new UploadError('superseded', 'An administrator has interrupted this request.')
        return { requests: (await live?.interrupt(reason)) ?? 0 }
      },
    }),
    operation({
      ...common,
      id: 'extendUpload',
      path: '/uploads/:id/extend',
      summary: 'Makes the time until an unfinished upload expires (EXPIRES_AFTER) begin again.',
      act: 'extend',
      answer: uploadLine,
      errors: ['not_found', 'gone', 'wrong_state', 'no_space', 'storage_error'],
      run: ({ params: { id } }) => lineAfter(id, (upload) => upload.extend()),
    }),
    operation({
      ...common,
      id: 'finishUpload',
      path: '/uploads/:id/finish',
      summary: 'Tries again at once to finish a complete upload, or to have it scanned.',
      act: 'finish',
      answer: uploadLine,
      errors: ['not_found', 'gone', 'wrong_state', 'busy', 'no_space', 'storage_error'],
      run: ({ params: { id } }) => lineAfter(id, (upload) => upload.finishNow(MAX_WAIT)),
    }),
    operation({
      ...common,
      id: 'releaseUpload',
      path: '/uploads/:id/release',
      summary: 'Makes the file of a rejected upload after all, if its bytes are in quarantine.',
      act: 'release',
      answer: uploadLine,
      errors: ['not_found', 'gone', 'wrong_state', 'busy', 'no_space', 'storage_error'],
      run: ({ params: { id } }) => lineAfter(id, (upload) => upload.releaseRejected(MAX_WAIT)),
    }),
    operation({
      id: 'deleteUpload',
      method: 'DELETE',
      path: '/uploads/:id',
      summary: 'Ends all requests of an upload and deletes it, finished or not.',
      act: 'delete',
      params: idParam,
      query: deleteQuery,
      status: 204,
      errors: ['not_found', 'gone', 'already_complete', 'busy', 'no_space', 'storage_error'],
      run: async ({ params: { id }, query: { onlyUnfinished } }) => {
        const reason = new UploadError('gone', 'An administrator has deleted this upload.')
        await uploads.use(id, (upload) => upload.remove('deleted', { onlyIncomplete: onlyUnfinished, reason }))
      },
    }),
  ]
}

function otherOperations({
  uploads,
  index,
  events,
  stats: statsNow,
  shownSettings,
  tokenKey,
  expiresAfter,
  now,
  originOf,
}: OperationDependencies): readonly Operation[] {
  const letterNamed = async (id: string): Promise<string> => {
    const name = (await events.deadLetters()).find((one) => letterIdOf(one) === id)
    if (name === undefined) throw new UploadError('not_found', 'There is no such dead letter.')
    return name
  }
  const lineOfLetter = async (name: string): Promise<DeadLetterLine | undefined> => {
    const letter = await events.deadLetter(name)
    if (letter === undefined) return undefined
    const { id, type, upload, at, only, why } = letter
    const origin = originOf(only)
    return {
      id: letterIdOf(name),
      event: id,
      type,
      upload,
      at: new Date(at).toISOString(),
      endpoint: only,
      host: origin,
      why,
    }
  }
  let sweeping: Promise<number> | undefined
  return [
    operation({
      id: 'showStats',
      method: 'GET',
      path: '/stats',
      summary: 'Shows how many uploads there are, and how the service is.',
      status: 200,
      answer: stats,
      errors: ['storage_error'],
      run: () => statsNow(),
    }),
    operation({
      id: 'sweep',
      method: 'POST',
      path: '/sweep',
      summary: 'Removes the unfinished uploads whose time is over, or shows which they are.',
      act: 'sweep',
      body: sweepRequest,
      status: 200,
      answer: sweepResult,
      errors: ['index_building', 'storage_error'],
      run: async ({ body: { dryRun } }) => {
        const deadline = now() - expiresAfter
        if (dryRun) {
          const { count, bytes, examples } = await index.stale(deadline)
          return { dryRun, expired: count, bytes, examples: examples.map((row) => lineOf(row, expiresAfter)) }
        }
        sweeping ??= uploads.sweeps.expire(new Date(deadline)).finally(() => {
          sweeping = undefined
        })
        return { dryRun, expired: await sweeping, bytes: null, examples: [] }
      },
    }),
    operation({
      id: 'listDeadLetters',
      method: 'GET',
      path: '/dead-letters',
      summary: 'Lists the events that webhook endpoints did not accept for three days.',
      query: deadLettersQuery,
      status: 200,
      answer: deadLetterPage,
      errors: ['storage_error'],
      run: async ({ query: { limit, after = '' } }) => {
        const names = [...(await events.deadLetters())].sort()
        const left = names.filter((name) => letterIdOf(name) > after)
        const page = left.slice(0, limit)
        const last = page.at(-1)
        return {
          deadLetters: (await Promise.all(page.map(lineOfLetter))).filter((line) => line !== undefined),
          next: left.length > page.length && last !== undefined ? letterIdOf(last) : null,
          total: names.length,
        }
      },
    }),
    operation({
      id: 'retryDeadLetter',
      method: 'POST',
      path: '/dead-letters/:id/retry',
      summary: 'Queues a dead letter to be sent again.',
      act: 'retry-dead-letter',
      params: deadLetterParam,
      status: 204,
      errors: ['not_found', 'storage_error'],
      run: async ({ params: { id } }) => events.sendAgain(await letterNamed(id)),
    }),
    operation({
      id: 'deleteDeadLetter',
      method: 'DELETE',
      path: '/dead-letters/:id',
      summary: 'Deletes a dead letter: the endpoint never receives the event.',
      act: 'delete-dead-letter',
      params: deadLetterParam,
      status: 204,
      errors: ['not_found', 'storage_error'],
      run: async ({ params: { id } }) => events.forget(await letterNamed(id)),
    }),
    operation({
      id: 'createToken',
      method: 'POST',
      path: '/tokens',
      summary: 'Creates an upload token. Needs AUTH=jwt.',
      act: 'create-token',
      body: tokenRequest,
      status: 201,
      answer: token,
      errors: ['wrong_state'],
      run: async ({ body }) => {
        if (tokenKey === undefined) throw new UploadError('wrong_state', 'Upload tokens need AUTH=jwt.')
        return createUploadToken(tokenKey, body)
      },
    }),
    operation({
      id: 'showSettings',
      method: 'GET',
      path: '/settings',
      summary: 'Shows all settings, with secrets masked.',
      status: 200,
      answer: settings,
      run: async () => shownSettings(),
    }),
  ]
}

/** The operation that returns the description of all. */
export function describing(document: () => Readonly<Record<string, unknown>>): Operation {
  return operation({
    id: 'showOpenapi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document.',
    status: 200,
    answer: z.record(z.string(), z.unknown()),
    run: async () => document(),
  })
}
