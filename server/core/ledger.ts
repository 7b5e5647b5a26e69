import { Activity } from './activity.ts'
import {
  accountOf,
  atLeastNothing,
  type Charge,
  difference,
  isNothing,
  NO_CHARGE,
  overheadOf,
  unfinishedBytesOf,
} from './charge.ts'
import { UploadError } from './errors.ts'
import { Lanes } from './lanes.ts'
import { exceededBy, type Limits, UNLIMITED } from './limits.ts'
import type { Principal, PrincipalLimits } from './principal.ts'
import { RateLimit } from './rate-limit.ts'
import type { UploadRecord } from './record.ts'
import { Recount } from './recount.ts'
import { type KeptTotals, Sums } from './sums.ts'

export interface LedgerRules {
  /** Per account. */
  readonly account: Limits
  readonly total: Limits
  /** Per account; `Infinity` for no limit. */
  readonly creationsPerMinute: number
  /** Bytes of the metadata of an upload, decoded. */
  readonly maxMetadata: number
}

/** An open upload, with its charge. */
export interface TrackedUpload {
  readonly id: string
  readonly account: string | undefined
  readonly overhead: number
  /** `undefined` until it is needed: see `dependsOnBlocks`. */
  charge: Charge | undefined
}

/** Per account, unless its creations are not limited: so many must be awaited when another account begins to upload. */
const CONCURRENT_CREATIONS = 8
/** Maximum accounts in the kept totals. */
const MAX_KEPT = 10_000

export const NO_RULES: LedgerRules = {
  account: UNLIMITED,
  total: UNLIMITED,
  creationsPerMinute: Number.POSITIVE_INFINITY,
  maxMetadata: Number.POSITIVE_INFINITY,
}

/**
 * Who uses how much. A charge is reserved before anything is written, in one synchronous step; as one process owns the
 * data directory, requests cannot exceed a limit together.
 *
 * After a start, the totals are those that the process before has kept, plus all changes, until a recount of all
 * uploads has ended. The recount counts each upload once, and changes of uploads that it has already counted.
 */
export class Ledger {
  /** Whether the totals are exact: a recount has ended. */
  isExact = false
  readonly #rules: LedgerRules
  readonly #creations: RateLimit
  readonly #lanes: Lanes
  readonly #activity = new Activity()
  #sums = new Sums()
  /** The open uploads, by id: their charges are known without the store. */
  readonly #open = new Map<string, TrackedUpload>()
  /** Uploads that are being created or removed: a list of uploads may have them or not. */
  readonly #unsettled = new Set<string>()
  /** Quotas of credentials, in bytes, of accounts with uploads. */
  readonly #quotas = new Map<string, number>()
  #recount: Recount | undefined

  constructor(rules: LedgerRules = NO_RULES) {
    this.#rules = rules
    const sentence = 'Too many new uploads in a short time; try again in a moment.'
    this.#creations = new RateLimit(rules.creationsPerMinute, sentence)
    const isLimited = Number.isFinite(rules.creationsPerMinute)
    this.#lanes = new Lanes(isLimited ? CONCURRENT_CREATIONS : Number.POSITIVE_INFINITY, sentence)
  }

  /**
   * Decides whether an upload may be created, and waits until it may. Nothing is reserved yet.
   *
   * @param narrower limits of the credentials.
   * @returns a function to call when it exists, or could not be created.
   * @throws UploadError `metadata_too_large`, `quota_exceeded`, `no_space`, `too_many_requests`.
   */
  async admit(record: UploadRecord, narrower: PrincipalLimits): Promise<() => void> {
    const size = metadataSize(record)
    if (size > this.#rules.maxMetadata) {
      const sentence = `The metadata of an upload may have at most ${this.#rules.maxMetadata} bytes; these are ${size}.`
      throw new UploadError('metadata_too_large', sentence)
    }
    const key = accountOf(record) ?? ''
    const { quota } = narrower
    if (quota !== undefined) this.#quotas.set(key, quota)
    let leave: (() => void) | undefined
    try {
      this.#check(key, { bytes: record.parts === undefined ? (record.length ?? 0) : 0, files: 1, unfinished: 0 })
      leave = await this.#lanes.enter(key)
      this.#activity.note(key)
      await this.#creations.turn(key, this.#activity.isShared(key))
      return leave
    } catch (error) {
      if (!this.#sums.accounts.has(key)) this.#quotas.delete(key)
      leave?.()
      throw error
    }
  }

  /**
   * Waits until an admitted upload may be created.
   *
   * @returns a function to call when it exists, or could not be created.
   * @throws UploadError `too_many_requests`.
   */
  enter(record: UploadRecord): Promise<() => void> {
    return this.#lanes.enter(accountOf(record) ?? '')
  }

  /** Notes the quota of credentials that are used again, for example after a restart: their uploads may still grow. */
  noteQuota({ account, limits: { quota } }: Principal): void {
    if (quota === undefined) return
    const key = account()
    if (this.#sums.accounts.has(key)) this.#quotas.set(key, quota)
  }

  /** Notes that an upload receives bytes: creations of other accounts may not slow that down. */
  noteBytes({ account }: TrackedUpload): void {
    this.#activity.note(account)
  }

  /** What an account uses, and its limits. `Infinity` for no limit. */
  usage(account: string): { readonly used: Charge; readonly limits: Limits } {
    return { used: atLeastNothing(this.#sums.of(account)), limits: this.#limitsOf(account) }
  }

  /** What all uploads cost, and how many accounts have uploads. */
  totals(): { readonly used: Charge; readonly limits: Limits; readonly accounts: number } {
    return { used: atLeastNothing(this.#sums.total), limits: this.#rules.total, accounts: this.#sums.accounts.size }
  }

  /** Bytes that unfinished uploads occupy or have reserved; `undefined` until a recount has ended. */
  get unfinishedBytes(): number | undefined {
    return this.isExact ? Math.max(0, this.#sums.unfinishedBytes) : undefined
  }

  /** Tracks an upload that is being opened. */
  track(record: UploadRecord, charge: Charge | undefined): TrackedUpload {
    const upload = { id: record.id, account: accountOf(record), overhead: overheadOf(record), charge }
    this.#open.set(record.id, upload)
    return upload
  }

  /** Reserves the charge of an upload that is about to be created. @throws UploadError `quota_exceeded`, `no_space`. */
  reserveNew(record: UploadRecord, chargeWith: (overhead: number) => Charge): TrackedUpload {
    const upload: TrackedUpload = {
      id: record.id,
      account: accountOf(record),
      overhead: overheadOf(record),
      charge: NO_CHARGE,
    }
    this.reserve(upload, chargeWith(upload.overhead))
    this.#unsettled.add(record.id)
    return upload
  }

  /** Notes that the upload exists, or that it could not be created. */
  created(upload: TrackedUpload, exists: boolean): void {
    this.#unsettled.delete(upload.id)
    if (exists) return
    this.settle(upload, NO_CHARGE)
    this.untrack(upload)
  }

  /** Runs the removal of an upload. From its beginning on the store may not list the upload, which is still charged. */
  async removing({ id }: TrackedUpload, remove: () => Promise<void>): Promise<void> {
    this.#unsettled.add(id)
    try {
      await remove()
    } finally {
      this.#unsettled.delete(id)
    }
  }

  /** Changes the charge of an upload, if its account may have it. @throws UploadError `quota_exceeded`, `no_space`. */
  reserve(upload: TrackedUpload, charge: Charge): void {
    this.#check(upload.account, difference(charge, upload.charge ?? NO_CHARGE))
    this.settle(upload, charge)
  }

  /** Sets the charge of an upload, whatever the limits are. */
  settle(upload: TrackedUpload, charge: Charge): void {
    const before = upload.charge ?? NO_CHARGE
    upload.charge = charge
    this.#open.set(upload.id, upload)
    const change = difference(charge, before)
    if (isNothing(change)) return
    const unfinishedBytes = unfinishedBytesOf(charge) - unfinishedBytesOf(before)
    this.#sums.add(upload.account, change, unfinishedBytes)
    if (upload.account !== undefined && !this.#sums.accounts.has(upload.account)) {
      this.#quotas.delete(upload.account)
    }
    this.#recount?.note(upload, change, unfinishedBytes)
  }

  /** No longer tracks an upload, which is closed or removed; its charge stays in the totals. */
  untrack({ id }: TrackedUpload): void {
    this.#open.delete(id)
  }

  /** The open upload of this id. */
  tracked(id: string): TrackedUpload | undefined {
    return this.#open.get(id)
  }

  /** Begins a recount, which replaces the totals when it is complete. */
  beginRecount(partitionOf: (id: string) => string): Recount {
    const recount = new Recount(partitionOf, this.#unsettled, (sums) => {
      this.#sums = sums
      this.isExact = true
    })
    this.#recount = recount
    return recount
  }

  /** Ends the recount, complete or not. */
  endRecount(): void {
    this.#recount = undefined
  }

  /** The totals to keep; of very many accounts, only those with a considerable share. */
  kept(): KeptTotals {
    const { total, accounts } = this.#sums
    const least = accounts.size > MAX_KEPT ? total.bytes / MAX_KEPT : Number.NEGATIVE_INFINITY
    return { total, accounts: [...accounts].filter(([, { bytes }]) => bytes >= least) }
  }

  /** Begins with kept totals. */
  restore({ total, accounts }: KeptTotals): void {
    this.#sums = new Sums(total, accounts)
  }

  #limitsOf(account: string): Limits {
    const { account: limits } = this.#rules
    return { ...limits, bytes: Math.min(limits.bytes, this.#quotas.get(account) ?? Number.POSITIVE_INFINITY) }
  }

  #check(account: string | undefined, change: Charge): void {
    if (account !== undefined) {
      const exceeded = exceededBy(this.#sums.of(account), change, this.#limitsOf(account))
      if (exceeded !== undefined) throw new UploadError('quota_exceeded', exceeded.ofAccount)
    }
    const exceeded = exceededBy(this.#sums.total, change, this.#rules.total)
    if (exceeded !== undefined) throw new UploadError('no_space', exceeded.ofAll)
  }
}

/** The bytes of metadata: decoded, or of the header if that contains more. */
function metadataSize({ metadata, rawMetadata = '' }: UploadRecord): number {
  const decoded = Object.entries(metadata).reduce(
    (size, [key, value]) => size + Buffer.byteLength(key) + Buffer.byteLength(value ?? ''),
    0,
  )
  return Math.max(decoded, Math.ceil((rawMetadata.length * 3) / 4))
}
