import type { Logger } from 'pino'
import { type Answer, applicationUnavailable, Refusal } from '../core/answer.ts'
import { currentRequest } from '../core/current-request.ts'
import type { Decisions } from '../core/decisions.ts'
import type { HookName } from './hook-names.ts'
import type { Receiver } from './receiver.ts'

/** Minimum time between two log lines about pending files, in milliseconds: an outage concerns every file. */
const QUIET = 60_000

/** The decisions of the hooks `pre-create`, `pre-finish`, and `pre-terminate`, where they are enabled. */
export function hookDecisions(enabled: ReadonlySet<HookName>, receiver: Receiver, log: Logger): Decisions {
  return {
    ...(enabled.has('pre-create') && { beforeCreate: beforeCreate(receiver) }),
    ...(enabled.has('pre-finish') && { beforeFinish: beforeFinish(receiver, log) }),
    ...(enabled.has('pre-terminate') && { beforeDelete: beforeDelete(receiver) }),
  }
}

function beforeCreate(receiver: Receiver): NonNullable<Decisions['beforeCreate']> {
  return async (record) => {
    const facts = { record, offset: 0, path: undefined }
    const response = await receiver.ask('pre-create', facts, currentRequest()).catch(unavailable)
    const { answer, rejectsUpload, changes } = response
    if (rejectsUpload) throw new Refusal('refused', 'The application refused this upload.', answer)
    return { changes, answer }
  }
}

function beforeFinish(receiver: Receiver, log: Logger): NonNullable<Decisions['beforeFinish']> {
  let loggedAt = Number.NEGATIVE_INFINITY
  const logPending = (id: string, error: unknown): void => {
    const now = performance.now()
    if (now - loggedAt < QUIET) return
    loggedAt = now
    log.error(
      { upload: id, err: error },
      'The hook pre-finish failed; the file stays pending, and the hook is called again.',
    )
  }
  return async (facts, signal) => {
    const response = await receiver.ask('pre-finish', facts, currentRequest(), signal).catch((error: unknown) => {
      if (!signal.aborted) logPending(facts.record.id, error)
      throw error
    })
    const { answer, rejectsUpload } = response
    const kept = withoutCookies(answer)
    if (rejectsUpload) throw new Refusal('rejected', 'The application rejected this file.', kept)
    return kept
  }
}

function beforeDelete(receiver: Receiver): NonNullable<Decisions['beforeDelete']> {
  return async (facts) => {
    const { answer, rejectsTermination } = await receiver
      .ask('pre-terminate', facts, currentRequest())
      .catch(unavailable)
    if (rejectsTermination) throw new Refusal('refused', 'The application refused to delete this upload.', answer)
    return answer
  }
}

/** An answer to keep: other clients of the upload receive it, too. */
function withoutCookies(answer: Answer | undefined): Answer | undefined {
  if (answer?.headers === undefined) return answer
  const headers = Object.entries(answer.headers).filter(([name]) => name.toLowerCase() !== 'set-cookie')
  return { ...answer, headers: Object.fromEntries(headers) }
}

/** @throws UploadError `application_unavailable`. */
function unavailable(cause: unknown): never {
  throw applicationUnavailable(cause)
}
