import type { Logger } from 'pino'
import type { Callers } from '../core/callers.ts'
import type { Events } from '../core/events.ts'
import type { EndedRequest, RequestFeed } from '../http/request-feed.ts'
import type { Trace } from '../http/trace.ts'
import { auditFile, type LineFile, standardError } from './audit-file.ts'
import { callerOf, factsOf } from './event-facts.ts'

/** An act of an administrator. */
export interface AdminAct {
  /** What was done, such as `delete`. */
  readonly act: string
  /** The id of the upload, if it concerns one. */
  readonly upload?: string | undefined
  /** Who did it: the subject of a token, or `token` for that of ADMIN_TOKEN. */
  readonly by: string
  /** The id of the request. */
  readonly request?: string | undefined
}

/** Who did what to which upload. */
export interface Audit {
  adminAct(act: AdminAct): void
}

const AUDITED = ['created', 'finished', 'rejected', 'deleted', 'expired'] as const

/** What the audit log observes. */
export interface Audited {
  readonly events: Events
  readonly feed: RequestFeed
  readonly callers: Callers<Trace>
  readonly log: Logger
}

/**
 * Writes a line of JSON for each upload that is created, finished, rejected, deleted, or expired, each download, and each
 * act of an administrator.
 *
 * @param target the path of the file, or `stderr`.
 * @throws Error with a sentence for the operator if the file cannot be opened.
 */
export function openAudit(target: string, { events, feed, callers, log }: Audited): Audit {
  const file = target === 'stderr' ? standardError : fileOf(target, log)
  const write = (act: string, facts: object, at = new Date()): void => {
    file.append(JSON.stringify({ time: at.toISOString(), act, ...facts }))
  }
  events.on(AUDITED, (event) => {
    const caller = callerOf(event, callers)
    const { upload, request, protocol, size } = factsOf(event, caller)
    const { owner } = event.upload.record
    write(event.type, { upload, owner, by: caller?.owner, address: caller?.address, request, protocol, size }, event.at)
  })
  feed.on((request) => {
    if (!isDownload(request)) return
    const { id, upload, owner, address, protocol, status, sent } = request
    write('downloaded', { upload, by: owner, address, request: id, protocol, status, sent })
  })
  return {
    adminAct: ({ act, upload, by, request }) => write(`admin:${act}`, { upload, by, request }),
  }
}

function fileOf(path: string, log: Logger): LineFile {
  return auditFile(
    path,
    (error) => log.warn({ err: error }, 'The audit log cannot be written; its lines are dropped.'),
    (dropped) => log.warn({ dropped }, 'The audit log is written again.'),
  )
}

/** Also one that was redirected to the bucket, or has sent only a part. */
function isDownload({ method, route, upload, code, status }: EndedRequest): boolean {
  const isRead = method === 'GET' && route === '/files/:id' && upload !== undefined && code === undefined
  return isRead && (status === 200 || status === 206 || (status >= 301 && status !== 304 && status < 400))
}
