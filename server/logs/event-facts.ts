import type { Callers } from '../core/callers.ts'
import type { UploadEvent } from '../core/events.ts'
import type { Trace } from '../http/trace.ts'

/** What the log says of an event. Nothing that a client has chosen, such as a name, is among it. */
export interface EventFacts {
  readonly upload: string
  /** As `X-Request-Id` has it; `undefined` if no request caused the event. */
  readonly request: string | undefined
  readonly protocol: Trace['protocol'] | undefined
  /** Bytes: the length of the file, or what has been received while that is unknown. */
  readonly size: number
  /** Since the creation of the upload, in milliseconds. */
  readonly duration: number
  /** Why it failed. */
  readonly code: string | undefined
}

/** @param caller the request that caused the event. */
export function factsOf({ upload: { record, offset }, at }: UploadEvent, caller: Trace | undefined): EventFacts {
  return {
    upload: record.id,
    request: caller?.id,
    protocol: caller?.protocol,
    size: record.length ?? offset,
    duration: Math.max(0, at.getTime() - Date.parse(record.createdAt)),
    code: record.failed?.code,
  }
}

/** The request that caused an event, as far as that is known. */
export function callerOf({ type, upload }: UploadEvent, callers: Callers<Trace>): Trace | undefined {
  return type === 'expired' ? undefined : callers.of(upload.record.id)
}
