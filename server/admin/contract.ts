/**
 * What the admin API receives and returns. All paths are below `/admin/v1`; requests need
 * `Authorization: Bearer <ADMIN_TOKEN or a JWT with ADMIN_CLAIM>`; errors are problem details (RFC 9457).
 *
 * | request | body or query | answer |
 * | --- | --- | --- |
 * | `GET /uploads` | `listQuery` | 200 `uploadPage` |
 * | `GET /uploads/{id}` | | 200 `uploadDetails` |
 * | `POST /uploads/{id}/interrupt` | | 200 `interrupted` |
 * | `POST /uploads/{id}/extend` | | 200 `uploadLine` |
 * | `POST /uploads/{id}/finish` | | 200 `uploadLine` |
 * | `POST /uploads/{id}/release` | | 200 `uploadLine` |
 * | `DELETE /uploads/{id}` | `deleteQuery` | 204 |
 * | `GET /uploads/{id}/content` | | 200, the bytes |
 * | `GET /events` | `eventsQuery` | 200, `text/event-stream` of `serverEvent` |
 * | `GET /stats` | | 200 `stats` |
 * | `POST /sweep` | `sweepRequest` | 200 `sweepResult` |
 * | `GET /dead-letters` | `deadLettersQuery` | 200 `deadLetterPage` |
 * | `POST /dead-letters/{id}/retry` | | 204 |
 * | `DELETE /dead-letters/{id}` | | 204 |
 * | `POST /tokens` | `tokenRequest` | 201 `token` |
 * | `GET /settings` | | 200 `settings` |
 * | `GET /openapi.json` | | 200, OpenAPI 3.1 |
 */
import { z } from 'zod'
import { uploadTokenRequest } from '../auth/upload-tokens.ts'
import { FAILURE_CODES } from '../core/record.ts'

const bytes = z.int().nonnegative().meta({ description: 'Bytes.' })
const count = z.int().nonnegative()
const time = z.iso.datetime().meta({ description: 'ISO 8601, UTC.' })
const uploadId = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/, 'must be the id of an upload')

export const UPLOAD_STATES = ['receiving', 'sealed', 'finishing', 'scanning', 'finished', 'failed', 'rejected'] as const

export const uploadState = z.enum(UPLOAD_STATES).meta({
  id: 'UploadState',
  description:
    'receiving: bytes are missing, or the client has not said where the file ends. sealed: a complete part of another upload; it never becomes a file itself. finishing: all bytes have arrived, and the file is being moved into place. scanning: waiting for the virus scan or the application. rejected: the scan or the application refused the file. failed: the upload failed for another reason.',
})
export type UploadState = z.output<typeof uploadState>

export const uploadProtocol = z.enum(['tus', 'draft', 'webuploader']).meta({ id: 'UploadProtocol' })

/** An upload in a list, and in events. */
export const uploadLine = z
  .object({
    id: z.string(),
    name: z.string().meta({ description: 'The name that the client gave, at most 255 bytes of it.' }),
    size: bytes.nullable().meta({ description: 'Bytes; null until the client declares it.' }),
    received: bytes.meta({ description: 'Bytes that have been received, wherever they are in the file.' }),
    state: uploadState,
    owner: z.string().nullable().meta({ description: 'A digest of the user; null for an anonymous one.' }),
    protocol: uploadProtocol,
    createdAt: time,
    changedAt: time.meta({ description: 'When the last byte arrived, or the file was finished.' }),
    expiresAt: time.nullable().meta({
      description: 'When it is removed unless a byte arrives; null if it is not, or only together with others.',
    }),
    taskId: z.string().nullable().meta({ description: 'task_id of a WebUploader page.' }),
    failure: z
      .object({ code: z.enum(FAILURE_CODES), message: z.string() })
      .nullable()
      .meta({ description: 'Why it can never finish. In lists, the message may be empty.' }),
  })
  .meta({ id: 'UploadLine' })
export type UploadLine = z.output<typeof uploadLine>

export const SORT_KEYS = ['age', 'name', 'size', 'state', 'owner'] as const

/** The longest page. */
export const MAX_PAGE = 1_000

const numeral = z.string().regex(/^\d{1,16}$/, 'must be a number')

export const listQuery = z
  .strictObject({
    state: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(uploadState).min(1))
      .optional()
      .meta({ description: 'One or several states, separated by commas.' }),
    owner: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'The digest of an owner; none for uploads without one.' }),
    olderThan: time.optional().meta({ description: 'Created before this time.' }),
    newerThan: time.optional().meta({ description: 'Created at this time, or later.' }),
    namePrefix: z.string().min(1).max(255).optional().meta({
      description: 'The beginning of the name; ASCII letters in any case.',
    }),
    nameContains: z.string().min(1).max(255).optional().meta({
      description: 'Any part of the name; ASCII letters in any case.',
    }),
    idPrefix: z.string().min(1).max(200).optional(),
    task: z.string().min(1).max(512).optional().meta({ description: 'The task_id of a WebUploader page.' }),
    sort: z.enum(SORT_KEYS).prefault('age'),
    order: z.enum(['asc', 'desc']).optional().meta({
      description: 'By default, desc for age and size, asc for the others.',
    }),
    limit: numeral
      .transform(Number)
      .pipe(z.int().min(1).max(MAX_PAGE))
      .prefault('100')
      .meta({ description: `At most ${MAX_PAGE}.` }),
    after: z.string().max(4_000).optional().meta({ description: 'next of the page before.' }),
  })
  .meta({ id: 'ListQuery' })
export type ListQuery = z.output<typeof listQuery>

/** A page may be shorter than its limit, even empty, although there are further ones. */
export const uploadPage = z
  .object({
    uploads: z.array(uploadLine),
    next: z.string().nullable().meta({ description: 'The cursor of the next page; null after the last one.' }),
    total: count.nullable().meta({ description: 'How many uploads match; null where that would take a search.' }),
  })
  .meta({ id: 'UploadPage' })
export type UploadPage = z.output<typeof uploadPage>

export const byteRange = z
  .tuple([bytes, bytes])
  .meta({ description: 'The first byte, and the one after the last.', id: 'ByteRange' })

/** The most ranges of one answer; a WebUploader file may have more. */
export const MAX_RANGES = 10_000

export const requestError = z
  .object({
    at: time,
    code: z.string().meta({ description: 'The code of the error, or aborted if the client disconnected.' }),
    method: z.string(),
    status: z.int(),
    request: z.string().meta({ description: 'X-Request-Id.' }),
  })
  .meta({ id: 'RequestError' })

/** The chunks of a WebUploader file. */
export const chunkLayout = z
  .object({
    chunks: count,
    chunkSize: bytes.nullable().meta({ description: 'Bytes; null before the first chunk has arrived.' }),
    received: z
      .array(z.tuple([count, count]))
      .meta({ description: 'Runs of received chunks: the first one, and the one after the last.' }),
    receivedCount: count,
  })
  .meta({ id: 'ChunkLayout' })

export const endpointState = z
  .object({
    event: z.string().meta({ description: 'finished, failed, …' }),
    deadLetter: z.string().meta({ description: 'The id of the dead letter.' }),
    at: time,
    why: z.string(),
  })
  .meta({ id: 'UndeliveredEvent' })

export const uploadDetails = uploadLine
  .extend({
    offset: bytes.meta({ description: 'Bytes from 0 on without a gap: the offset of tus.' }),
    ranges: z.array(byteRange).max(MAX_RANGES).meta({ description: 'Received bytes, in order.' }),
    rangesTruncated: z.boolean().meta({ description: `Whether there are more than ${MAX_RANGES} ranges.` }),
    rate: z.number().nonnegative().meta({ description: 'Bytes per second, currently.' }),
    activeRequests: count.meta({ description: 'Requests that currently send bytes.' }),
    requests: count.meta({ description: 'Requests since the start of this process.' }),
    errors: z.array(requestError).meta({ description: 'The last ones since the start, newest first; at most 10.' }),
    chunks: chunkLayout.nullable().meta({ description: 'Only of WebUploader files.' }),
    metadata: z.record(z.string(), z.string().nullable()),
    digests: z.record(z.string(), z.string()).meta({ description: 'Known digests of the file, in base64.' }),
    fileName: z.string().meta({ description: 'The name of the finished file.' }),
    folder: z.string().nullable(),
    path: z.string().nullable().meta({ description: 'Where the bytes are in the data directory.' }),
    object: z.object({ bucket: z.string(), key: z.string() }).nullable(),
    finishedAt: time.nullable(),
    isPart: z.boolean().meta({ description: 'A part of another upload (tus concatenation).' }),
    final: z.string().nullable().meta({ description: 'The upload that this part belongs to.' }),
    parts: z.array(z.string()).nullable(),
    isOpen: z
      .boolean()
      .meta({ description: 'Whether this node works with it; otherwise, ranges are what the store has.' }),
    canRelease: z.boolean().meta({ description: 'Whether it was rejected, and its bytes are in quarantine.' }),
    hooks: z
      .object({
        scan: z.enum(['none', 'pending', 'clean', 'rejected']),
        application: z.enum(['none', 'pending', 'accepted', 'rejected']),
      })
      .meta({
        description: 'What the scan and the application (beforeFinish, pre-finish) have decided; none without one.',
      }),
    webhooks: z.object({
      dead: z.array(endpointState).meta({ description: 'Events that an endpoint did not accept; at most 100.' }),
    }),
  })
  .meta({ id: 'UploadDetails' })
export type UploadDetails = z.output<typeof uploadDetails>

export const interrupted = z
  .object({ requests: count.meta({ description: 'How many requests were interrupted; their bytes stay.' }) })
  .meta({ id: 'Interrupted' })

export const deleteQuery = z.strictObject({
  onlyUnfinished: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .prefault('false')
    .meta({ description: 'Whether a complete upload stays (400 already_complete).' }),
})

const ofState = z.object({ count, bytes: bytes.meta({ description: 'Received bytes.' }) })

export const stats = z
  .object({
    node: z.string(),
    nodes: z
      .array(z.object({ name: z.string(), url: z.string() }))
      .meta({ description: 'The pages of all nodes: ADMIN_NODES.' }),
    version: z.string(),
    nodeVersion: z.string(),
    startedAt: time,
    uptime: z.number().nonnegative().meta({ description: 'Seconds.' }),
    isReady: z.boolean().meta({ description: 'False while the service stops.' }),
    store: z.enum(['disk', 's3']),
    uploads: z
      .record(uploadState, ofState)
      .meta({ description: 'By state. While the index is being built, of those that it has.' }),
    total: ofState,
    index: z.object({
      isComplete: z.boolean(),
      indexed: count.meta({ description: 'Uploads that the running walk has looked at.' }),
      builtAt: time.nullable(),
    }),
    disk: z
      .object({ free: bytes, size: bytes })
      .nullable()
      .meta({ description: 'Bytes of the file system of the uploads; null for a bucket.' }),
    quarantine: ofState.nullable().meta({ description: 'Rejected files that are kept; null for a bucket.' }),
    rates: z.object({
      received: z.number().nonnegative().meta({ description: 'Bytes per second, currently.' }),
      requests: z.number().nonnegative().meta({ description: 'Requests per second in the last minute.' }),
      errors: z.number().nonnegative().meta({ description: 'Errors per second in the last minute.' }),
    }),
    activeUploads: count.meta({ description: 'Uploads that currently receive bytes on this node.' }),
    errors: z.array(requestError.extend({ upload: z.string().nullable() })).meta({
      description: 'The last errors of this node, newest first; at most 50.',
    }),
    webhooks: z.object({ endpoints: count, deadLetters: count }),
    process: z.object({
      rss: bytes,
      cpu: z.number().nonnegative().meta({ description: 'CPU seconds since the start.' }),
    }),
  })
  .meta({ id: 'Stats' })
export type Stats = z.output<typeof stats>

export const sweepRequest = z
  .strictObject({ dryRun: z.boolean().prefault(false) })
  .meta({ id: 'SweepRequest', description: 'A sweep removes unfinished uploads whose time (EXPIRES_AFTER) is over.' })

export const sweepResult = z
  .object({
    dryRun: z.boolean(),
    expired: count.meta({ description: 'Removed uploads, or those that would be.' }),
    bytes: bytes.nullable().meta({ description: 'Their received bytes; null unless it is a dry run.' }),
    examples: z.array(uploadLine).meta({ description: 'The oldest of a dry run; at most 100.' }),
  })
  .meta({ id: 'SweepResult' })

export const deadLetter = z
  .object({
    id: z.string().meta({ description: 'The id of the event and the endpoint.' }),
    event: z.string().meta({ description: 'The id of the event, as the receiver sees it.' }),
    type: z.string(),
    upload: z.string(),
    at: time,
    endpoint: z.string().meta({ description: 'A digest of its URL.' }),
    host: z.string().nullable().meta({ description: 'The origin of its URL; null if it is not in WEBHOOK_URLS.' }),
    why: z.string(),
  })
  .meta({ id: 'DeadLetter' })
export type DeadLetterLine = z.output<typeof deadLetter>

export const deadLettersQuery = z.strictObject({
  limit: numeral.transform(Number).pipe(z.int().min(1).max(MAX_PAGE)).prefault('100'),
  after: z.string().max(200).optional().meta({ description: 'next of the page before.' }),
})

export const deadLetterPage = z
  .object({ deadLetters: z.array(deadLetter), next: z.string().nullable(), total: count })
  .meta({ id: 'DeadLetterPage' })
export type DeadLetterPage = z.output<typeof deadLetterPage>

/** Like `POST /tokens` of the service: `sub`, `expires_in` in seconds, and restrictions. */
export const tokenRequest = uploadTokenRequest.meta({ id: 'TokenRequest' })

export const token = z
  .object({ token: z.string(), expires: z.int().meta({ description: 'Seconds since 1970.' }) })
  .meta({ id: 'Token' })

export const settings = z
  .object({
    settings: z.array(
      z.object({
        name: z.string(),
        value: z.string().meta({ description: 'As text; of a secret, *** or empty.' }),
        default: z.string(),
        isDefault: z.boolean(),
        isSecret: z.boolean(),
        help: z.string(),
      }),
    ),
  })
  .meta({ id: 'Settings' })
export type SettingsAnswer = z.output<typeof settings>

export const eventsQuery = z.strictObject({
  upload: uploadId.optional().meta({ description: 'Only the events of this upload.' }),
})

export const EVENT_NAMES = ['created', 'changed', 'finished', 'failed', 'rejected', 'deleted', 'expired'] as const

/**
 * An event of the stream: the `event:` field is `upload`, `stats`, or `missed`, and `data:` is JSON. At most 200 events
 * `upload` come each quarter of a second; `missed` says how many more there were. A comment comes each 15 seconds. A
 * reader that is 1 MiB behind is disconnected.
 */
export const uploadEvent = z
  .object({
    type: z.enum(EVENT_NAMES).meta({
      description: 'changed: bytes have arrived (at most once a second), or the state is another one.',
    }),
    at: time,
    upload: uploadLine.meta({ description: 'Afterwards; before it, if it is gone.' }),
    rate: z.number().nonnegative().meta({ description: 'Bytes per second, currently.' }),
  })
  .meta({ id: 'UploadEvent' })
export const missedEvent = z.object({ count }).meta({ id: 'MissedEvent' })
export const serverEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('upload'), data: uploadEvent }),
  z.object({ event: z.literal('stats'), data: stats }).meta({ description: 'At once, then each two seconds.' }),
  z.object({ event: z.literal('missed'), data: missedEvent }),
])
export type ServerEvent = z.output<typeof serverEvent>

/** An error (RFC 9457). `index_building` has `progress`, from 0 to 1 or null. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string().optional(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'As in Upload-Error.' }),
    progress: z.number().min(0).max(1).nullable().optional(),
  })
  .meta({ id: 'Problem' })

export const idParam = z.strictObject({ id: uploadId })
export const deadLetterParam = z.strictObject({
  id: z.string().regex(/^evt_[0-9a-f]{32}\.[0-9a-z]+$/, 'must be the id of a dead letter'),
})
