import { Activity } from './activity.ts'
import { accountOf, type Charge, NO_CHARGE, overheadOf } from './charge.ts'
import { UploadError } from './errors.ts'
import { Lanes } from './lanes.ts'
import type { Principal, PrincipalLimits } from './principal.ts'
import { RateLimit } from './rate-limit.ts'
import type { UploadRecord } from './record.ts'

/** The most that uploads may cost; `Infinity` for no limit. */
export type Limits = Charge

export interface LedgerRules {
  /** Per account. */
  readonly account: Limits
  readonly total: Limits
  /** Per account; `Infinity` for no limit. */
  readonly creationsPerMinute: number
  /** Bytes of the metadata of an upload, decoded. */
  readonly maxMetadata: number
}

/** Totals that outlive the process. They may be old: a recount replaces them. */
export interface KeptTotals {
  readonly total: Charge
  readonly accounts: readonly (readonly [account: string, charge: Charge])[]
}

/** What an open upload is charged. */
export interface Holding {
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

const UNLIMITED: Limits = {
  bytes: Number.POSITIVE_INFINITY,
  files: Number.POSITIVE_INFINITY,
  unfinished: Number.POSITIVE_INFINITY,
}

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
  /** The open uploads: their charges are known without the store. */
  readonly #holdings = new Map<string, Holding>()
  readonly #creating = new Set<string>()
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
    this.#check(key, { bytes: record.parts === undefined ? (record.length ?? 0) : 0, files: 1, unfinished: 0 })
    const leave = await this.#lanes.enter(key)
    try {
      this.#activity.note(key)
      await this.#creations.turn(key, this.#activity.isShared(key))
      return leave
    } catch (error) {
      leave()
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
  noteBytes({ account }: Holding): void {
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

  /** Notes an upload that is being opened. */
  hold(record: UploadRecord, charge: Charge | undefined): Holding {
    const holding = { id: record.id, account: accountOf(record), overhead: overheadOf(record), charge }
    this.#holdings.set(record.id, holding)
    return holding
  }

  /** Reserves the charge of an upload that is about to be created. @throws UploadError `quota_exceeded`, `no_space`. */
  reserveNew(record: UploadRecord, chargeWith: (overhead: number) => Charge): Holding {
    const holding: Holding = {
      id: record.id,
      account: accountOf(record),
      overhead: overheadOf(record),
      charge: NO_CHARGE,
    }
    this.reserve(holding, chargeWith(holding.overhead))
    this.#creating.add(record.id)
    return holding
  }

  /** Notes that the upload exists, or that it could not be created. */
  created(holding: Holding, exists: boolean): void {
    this.#creating.delete(holding.id)
    if (exists) return
    this.settle(holding, NO_CHARGE)
    this.release(holding)
  }

  /** Changes the charge of an upload, if its account may have it. @throws UploadError `quota_exceeded`, `no_space`. */
  reserve(holding: Holding, charge: Charge): void {
    this.#check(holding.account, difference(charge, holding.charge ?? NO_CHARGE))
    this.settle(holding, charge)
  }

  /** Sets the charge of an upload, whatever the limits are. */
  settle(holding: Holding, charge: Charge): void {
    const before = holding.charge ?? NO_CHARGE
    holding.charge = charge
    this.#holdings.set(holding.id, holding)
    const change = difference(charge, before)
    if (isNothing(change)) return
    this.#sums.add(holding.account, change)
    if (holding.account !== undefined && !this.#sums.accounts.has(holding.account)) {
      this.#quotas.delete(holding.account)
    }
    this.#recount?.note(holding, change)
  }

  /** Forgets an upload that is closed or removed; its charge stays in the totals. */
  release({ id }: Holding): void {
    this.#holdings.delete(id)
  }

  /** The open upload of this id. */
  held(id: string): Holding | undefined {
    return this.#holdings.get(id)
  }

  /** Begins a recount, which replaces the totals when it is complete. */
  beginRecount(shelfOf: (id: string) => string): Recount {
    const recount = new Recount(shelfOf, this.#creating, (sums) => {
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

/**
 * Counts all uploads anew while they change. Each is counted once, and from then on its changes are. A change before
 * that is not: the count finds its result.
 */
export class Recount {
  readonly #shelfOf: (id: string) => string
  readonly #creating: ReadonlySet<string>
  readonly #onComplete: (sums: Sums) => void
  readonly #sums = new Sums()
  /** Shelves that are not listed yet; `undefined` until their names are known. */
  #pending: Set<string> | undefined
  /** The shelf that is being listed. */
  #listing: string | undefined
  /** Uploads that have changed during a listing, which may lack them. */
  #changed = new Set<string>()
  /** Uploads of the listed shelf that are not counted yet. */
  #awaited = new Set<string>()
  /** Those that have changed while they were read. */
  readonly #disturbed = new Set<string>()

  constructor(shelfOf: (id: string) => string, creating: ReadonlySet<string>, onComplete: (sums: Sums) => void) {
    this.#shelfOf = shelfOf
    this.#creating = creating
    this.#onComplete = onComplete
  }

  /** @param names all shelves, listed since this object exists. @returns those to list. */
  shelves(names: readonly string[]): readonly string[] {
    const missed = [...this.#changed, ...this.#creating].map(this.#shelfOf)
    this.#pending = new Set([...names, ...missed])
    this.#changed = new Set()
    return [...this.#pending]
  }

  /** Lists a shelf by `list`. @returns the uploads to count. */
  async open(shelf: string, list: (shelf: string) => Promise<readonly string[]>): Promise<readonly string[]> {
    this.#listing = shelf
    const ids = await list(shelf)
    const creating = [...this.#creating].filter((id) => this.#shelfOf(id) === shelf)
    this.#awaited = new Set([...ids, ...this.#changed, ...creating])
    this.#changed = new Set()
    this.#listing = undefined
    this.#pending?.delete(shelf)
    return [...this.#awaited]
  }

  /** Call this before an upload is read. */
  look(id: string): void {
    this.#disturbed.delete(id)
  }

  /** Counts an upload. @returns false if it has changed since `look`: it must be read again. */
  count(id: string, account: string | undefined, charge: Charge): boolean {
    if (this.#disturbed.has(id)) return false
    this.#awaited.delete(id)
    this.#sums.add(account, charge)
    return true
  }

  /** Notes a change of an upload. */
  note({ id, account }: Holding, change: Charge): void {
    const shelf = this.#shelfOf(id)
    if (this.#pending === undefined || shelf === this.#listing) this.#changed.add(id)
    else if (this.#awaited.has(id)) this.#disturbed.add(id)
    else if (!this.#pending.has(shelf)) this.#sums.add(account, change)
  }

  /** Call this after the last upload. */
  complete(): void {
    this.#onComplete(this.#sums)
  }
}

/** The sums of charges, in total and by account. An account without a charge is forgotten. */
class Sums {
  total: Charge
  readonly accounts: Map<string, Charge>

  constructor(total: Charge = NO_CHARGE, accounts: KeptTotals['accounts'] = []) {
    this.total = total
    this.accounts = new Map(accounts)
  }

  of(account: string): Charge {
    return this.accounts.get(account) ?? NO_CHARGE
  }

  add(account: string | undefined, change: Charge): void {
    this.total = sum(this.total, change)
    if (account === undefined) return
    const charge = sum(this.of(account), change)
    if (isNothing(charge)) this.accounts.delete(account)
    else this.accounts.set(account, charge)
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

function sum(a: Charge, b: Charge): Charge {
  return { bytes: a.bytes + b.bytes, files: a.files + b.files, unfinished: a.unfinished + b.unfinished }
}

function difference(a: Charge, b: Charge): Charge {
  return { bytes: a.bytes - b.bytes, files: a.files - b.files, unfinished: a.unfinished - b.unfinished }
}

function isNothing({ bytes, files, unfinished }: Charge): boolean {
  return bytes === 0 && files === 0 && unfinished === 0
}

/** Old totals and new changes may be less than nothing together. */
function atLeastNothing({ bytes, files, unfinished }: Charge): Charge {
  return { bytes: Math.max(0, bytes), files: Math.max(0, files), unfinished: Math.max(0, unfinished) }
}

interface Exceeded {
  readonly ofAccount: string
  readonly ofAll: string
}

/** The sentences about the limit that a change exceeds; a change that only releases exceeds none. */
function exceededBy(used: Charge, change: Charge, limits: Limits): Exceeded | undefined {
  const exceeds = (key: keyof Charge): boolean => change[key] > 0 && used[key] + change[key] > limits[key]
  if (exceeds('bytes')) {
    return {
      ofAccount: `Your uploads may have at most ${limits.bytes} bytes in all; delete files to make room.`,
      ofAll: `The service stores at most ${limits.bytes} bytes and has no room for this upload.`,
    }
  }
  if (exceeds('files')) {
    return {
      ofAccount: `You may have at most ${limits.files} files; delete some to make room.`,
      ofAll: `The service stores at most ${limits.files} files and has no room for another one.`,
    }
  }
  if (exceeds('unfinished')) {
    return {
      ofAccount: `You may have at most ${limits.unfinished} unfinished uploads; finish or delete some.`,
      ofAll: `The service has at most ${limits.unfinished} unfinished uploads; try again later.`,
    }
  }
  return undefined
}
