import type { ErrorCode } from '../core/errors.ts'

/**
 * The rules for a response: those of tus and downloads, of the IETF draft, of its early versions, which only
 * tus-js-client speaks, or of legacy WebUploader pages.
 */
export type Dialect = 'tus' | 'draft' | 'early-draft' | 'legacy'

interface Statuses {
  readonly tus: number
  /** The status for a tus HEAD, if it differs. */
  readonly tusHead?: number
  /**
   * In every protocol, tus-js-client restarts at 0 after any HEAD error except 423, so temporary errors are 423 there.
   * Other draft clients would give up at 423; they retry after 5xx.
   */
  readonly temporaryHead?: number
  /** WebUploader up to 0.1.6 abandons a file on 5xx, so temporary errors are 409 there. */
  readonly legacy: number
  /** The status for the draft, if it differs. */
  readonly draft?: number
}

const same = (status: number): Statuses => ({ tus: status, legacy: status })
const temporary = (status: number): Statuses => ({ tus: status, temporaryHead: 423, legacy: 409 })

const statuses: Readonly<Record<ErrorCode, Statuses>> = {
  bad_request: same(400),
  bad_field: same(400),
  missing_field: same(400),
  duplicate_field: same(400),
  field_too_large: same(400),
  too_many_fields: same(400),
  field_after_file: same(400),
  no_file: same(400),
  several_files: same(400),
  malformed_body: same(400),
  unsupported_type: same(415),
  unsupported_coding: same(415),
  wrong_length: same(400),
  too_large: same(413),
  unsupported_version: same(412),
  unsupported_method: same(405),
  precondition_failed: same(412),
  range_not_satisfiable: same(416),
  host_not_allowed: same(421),
  expectation_failed: same(417),
  target_too_long: same(414),
  header_too_large: same(431),
  metadata_too_large: same(413),
  type_not_allowed: same(415),
  unauthenticated: same(401),
  forbidden: same(403),
  cross_site: same(403),
  quota_exceeded: same(413),
  too_many_requests: { tus: 429, temporaryHead: 423, legacy: 409 },
  not_found: same(404),
  // After a HEAD, tus-java-client creates a new upload only on 404.
  gone: { ...same(410), tusHead: 404 },
  offset_mismatch: same(409),
  length_known: same(400),
  already_complete: same(400),
  content_differs: same(409),
  // tus defines status 460.
  checksum_mismatch: { ...same(460), draft: 400 },
  digest_mismatch: { tus: 422, legacy: 409 },
  final_upload: same(403),
  part_taken: same(409),
  part_gone: { tus: 422, legacy: 409 },
  chunk_size_changed: { tus: 422, legacy: 409 },
  chunk_not_placed: same(409),
  wrongly_skipped: same(409),
  incomplete: same(409),
  ambiguous: same(409),
  sync_failed: { tus: 422, legacy: 409 },
  // Clients of the draft retry after 5xx only.
  scanning: { ...same(409), draft: 503 },
  // After any other error of a HEAD, tus-js-client would send the rejected file again.
  rejected: { tus: 422, temporaryHead: 423, legacy: 409 },
  // The application may choose another one.
  refused: same(400),
  wrong_state: same(409),
  superseded: same(409),
  busy: temporary(423),
  moved: temporary(423),
  connection_closed: same(400),
  idle_timeout: same(408),
  no_space: temporary(507),
  storage_error: temporary(503),
  auth_unavailable: temporary(503),
  application_unavailable: temporary(503),
  body_already_read: same(500),
  index_building: same(503),
  stopping: temporary(503),
  internal: same(500),
}

/** The one table from code to HTTP status. */
export function statusOf(code: ErrorCode, dialect: Dialect, method: string): number {
  const { tus, tusHead, temporaryHead, legacy, draft } = statuses[code]
  if (dialect === 'legacy') return legacy
  const usual = dialect === 'tus' ? tus : (draft ?? tus)
  if (method !== 'HEAD' || dialect === 'draft') return usual
  return temporaryHead ?? (dialect === 'tus' ? (tusHead ?? usual) : usual)
}
