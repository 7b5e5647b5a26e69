import type { z } from 'zod'
import { type Answer, applicationUnavailable } from '../core/answer.ts'
import { currentRequest, type RequestInfo } from '../core/current-request.ts'
import { MAX_WAIT, waitAtMost } from '../core/deadline.ts'
import type { CreationChanges, Decisions } from '../core/decisions.ts'
import { UploadError } from '../core/errors.ts'
import { answer, creationAnswer } from './answers.ts'
import { Refusal } from './refusal.ts'
import { type UploadView, viewOf } from './view.ts'

/** What an application changes about a new upload, and says to its client. */
export interface CreationAnswer extends CreationChanges, Pick<Answer, 'headers' | 'body' | 'result'> {}

type Maybe<T> = Promise<T | undefined> | Promise<void> | T | undefined

/**
 * Functions of an application that decide before something is done. They refuse by throwing a `Refusal`. `beforeCreate`
 * and `beforeDelete` have 50 seconds; after that their client receives 503.
 */
export interface DecisionOptions {
  /** Called before an upload is created. Without an answer, it is created as the client wants it. */
  readonly beforeCreate?: ((upload: UploadView, request: RequestInfo) => Maybe<CreationAnswer>) | undefined
  /**
   * Called when every byte is there, before any client can read the file. If it throws anything but a `Refusal`, the
   * file stays pending, and the function is called again; also after a crash.
   *
   * @param upload `path` is where its bytes can be read.
   * @param request the one that brought the last byte, if it is still running.
   * @param signal aborts when the upload is removed, or the service stops.
   * @returns what the client receives with the response to its last byte, and whenever it asks for the upload.
   */
  readonly beforeFinish?:
    | ((upload: UploadView, request: RequestInfo | undefined, signal: AbortSignal) => Maybe<Answer>)
    | undefined
  /** Called before a client deletes an upload. */
  readonly beforeDelete?: ((upload: UploadView, request: RequestInfo) => Maybe<Answer>) | undefined
}

/** The decisions of the core that call these functions. @param onPending receives why a file stays pending. */
export function decisionsOf(
  { beforeCreate, beforeFinish, beforeDelete }: DecisionOptions,
  onPending: (id: string, error: unknown) => void,
): Decisions {
  return {
    ...(beforeCreate !== undefined && {
      beforeCreate: async (record) => {
        const view = viewOf({ record, offset: 0, path: undefined })
        const said = await asked('refused', creationAnswer, () => inTime(() => beforeCreate(view, request())))
        if (said === undefined) return undefined
        const { metadata, id, folder, path, ...answer } = said
        return { changes: { metadata, id, folder, path }, answer }
      },
    }),
    ...(beforeFinish !== undefined && {
      beforeFinish: async (upload, signal) => {
        const ask = () => beforeFinish(viewOf(upload), currentRequest(), signal)
        return asked('rejected', answer, ask).catch((error: unknown) => {
          if (error instanceof UploadError && error.code === 'application_unavailable' && !signal.aborted) {
            onPending(upload.record.id, error.cause)
          }
          throw error
        })
      },
    }),
    ...(beforeDelete !== undefined && {
      beforeDelete: (upload) => asked('refused', answer, () => inTime(() => beforeDelete(viewOf(upload), request()))),
    }),
  }
}

/**
 * @param schema what the function may return: a record with anything else could not be read again.
 * @throws Refusal of the core; UploadError `application_unavailable` with what the function has thrown as its cause.
 */
async function asked<T>(
  code: 'refused' | 'rejected',
  schema: z.ZodType<T>,
  ask: () => Maybe<T>,
): Promise<T | undefined> {
  try {
    const answer = (await ask()) ?? undefined
    return answer === undefined ? undefined : schema.parse(answer)
  } catch (error) {
    if (error instanceof Refusal) throw error.as(code, code === 'refused' ? 400 : 422)
    throw applicationUnavailable(error)
  }
}

/** A function that never returns would keep its client from creating anything. @throws UploadError `busy`. */
function inTime<T>(ask: () => Maybe<T>): Promise<T | undefined> {
  const asking = (async () => (await ask()) ?? undefined)()
  return waitAtMost(MAX_WAIT, asking, 'The function of the application did not return in time.')
}

/** Clients only create and delete uploads by requests. */
function request(): RequestInfo {
  const current = currentRequest()
  if (current === undefined) throw new Error('No request is running.')
  return current
}
