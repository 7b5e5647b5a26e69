import { UploadError } from '../core/errors.ts'
import type { Found } from '../core/store.ts'
import { moved } from '../core/upload.ts'
import { accept, type ListedPiece } from './accept.ts'
import {
  type ClaimOwner,
  type Done,
  formatClaim,
  formatLiveState,
  formatManifest,
  type LiveState,
  parseClaim,
  parseDone,
  parseLiveState,
  parseManifest,
  parseNotes,
} from './documents.ts'
import type { Environment } from './environment.ts'
import { doneKey, liveFolder, notesKey } from './keys.ts'
import { claimName, manifestName, parseName, recordName } from './names.ts'
import { S3Error } from './s3-error.ts'
import type { Answered, ListedObject } from './s3-port.ts'
import { isDerived, newToken, S3Upload } from './s3-upload.ts'
import { Term } from './term.ts'

/** How old a claim of another process must be before this one claims the next term. Milliseconds, by S3's clock. */
const TENURE = 10_000

/** What is below the folder of an unfinished upload. */
interface Listing {
  readonly date: number
  readonly pieces: readonly ListedPiece[]
  /** Sequence numbers by term. */
  readonly records: ReadonlyMap<number, readonly number[]>
  readonly manifests: readonly number[]
  /** The highest term that anything claims or records. */
  readonly term: number
  /** When the highest term was claimed. Milliseconds since 1970. */
  readonly claimedAt: number | undefined
  /** When a piece or record was last written. Milliseconds since 1970. */
  readonly changedAt: number
}

/**
 * Finds an upload, and becomes the writer of an unfinished one: it claims the next term, and lists what is there after
 * that.
 *
 * @throws UploadError `storage_error`, S3Error.
 */
export async function openUpload(environment: Environment, id: string): Promise<Found> {
  const { port, prefix } = environment
  const ended = await findEnd(environment, id)
  if (ended !== undefined) return ended
  const first = await port.get(`${liveFolder(prefix, id)}${recordName(1, 0)}`)
  // It may have ended in between.
  if (first.found === undefined) return (await findEnd(environment, id)) ?? { kind: 'unknown' }
  for (;;) {
    const opened = await openNextTerm(environment, id)
    if (opened !== undefined) return opened
  }
}

/** The end of an upload, if it has one. */
async function findEnd(environment: Environment, id: string): Promise<Found | undefined> {
  const done = await readDone(environment, id)
  if (done === undefined) return undefined
  if (done.kind === 'gone') return { kind: 'gone', ...(done.owner === undefined ? {} : { owner: done.owner }) }
  const notes = await environment.port.get(notesKey(environment.prefix, id))
  const record = notes.found === undefined ? done.record : parseNotes(notes.found.body)
  return { kind: 'upload', upload: new S3Upload(environment, { ...done, record }) }
}

export async function readDone({ port, prefix }: Environment, id: string): Promise<Done | undefined> {
  const { found } = await port.get(doneKey(prefix, id))
  return found === undefined ? undefined : parseDone(found.body)
}

/** @returns `undefined` if another process was faster: then it starts over. */
async function openNextTerm(environment: Environment, id: string): Promise<Found | undefined> {
  const { port, prefix, node } = environment
  const folder = liveFolder(prefix, id)
  const before = await list(environment, folder)
  if (before.term === 0) return (await findEnd(environment, id)) ?? { kind: 'unknown' }
  if (!(await isOld(environment, folder, before))) return undefined
  const number = before.term + 1
  const claim = await claimTerm(environment, folder, number, { node, token: newToken() })
  if (claim === undefined) return undefined
  const listing = await list(environment, folder)
  if (listing.term !== number) return undefined
  // Pieces are deleted only after this is written.
  const ended = await findEnd(environment, id)
  if (ended !== undefined) return ended
  const base = Math.max(1, ...listing.manifests)
  const manifest = base === 1 ? undefined : parseManifest(await read(environment, `${folder}${manifestName(base)}`))
  const state = await stateOf(environment, folder, listing, base, manifest?.state)
  const mayLack = state.discarded || state.record.failed !== undefined
  const { pieces, void: useless } = accept(listing.pieces, base, new Set(manifest?.pieces), mayLack)
  const names = pieces.map(({ name }) => name)
  await port.put(`${folder}${manifestName(number)}`, formatManifest({ state, pieces: names }))
  // If this process stopped since its claim, the upload may have ended, and the claims after it may be gone.
  const term = new Term(port, folder, number, claim.date)
  const changedAt = new Date(environment.clock.now() - (listing.date - listing.changedAt))
  const upload = new S3Upload(environment, { state, term, pieces, changedAt })
  if (state.leaving !== undefined) {
    await upload.remove(state.leaving.why)
    return findEnd(environment, id)
  }
  removeOld(environment, folder, term, listing, useless)
  return { kind: 'upload', upload }
}

/** Waits until the newest claim is old enough, if another process has it. @returns false if it has waited. */
async function isOld(
  { port, node, clock }: Environment,
  folder: string,
  { term, claimedAt, date, pieces }: Listing,
): Promise<boolean> {
  const left = claimedAt === undefined ? 0 : claimedAt + TENURE - date
  if (left <= 0) return true
  const { found } = await port.get(`${folder}${term === 1 ? recordName(1, 0) : claimName(term)}`)
  if (found !== undefined && parseClaim(found.body).node === node) return true
  // It is only created. A balancer that hashes paths sends what follows to any node, and its creator is done with it.
  const isOnlyCreated = term === 1 && pieces.length === 0
  if (found !== undefined && isOnlyCreated && !isDerived(parseLiveState(found.body).record)) return true
  await clock.sleep(left)
  return false
}

/** @returns when S3 had the claim; `undefined` if another process has the term. */
async function claimTerm(
  environment: Environment,
  folder: string,
  number: number,
  owner: ClaimOwner,
): Promise<Answered | undefined> {
  const key = `${folder}${claimName(number)}`
  try {
    return await environment.port.put(key, formatClaim(owner), { ifAbsent: true })
  } catch (error) {
    if (!(error instanceof S3Error) || error.outcome !== 'exists') throw error
    const { found, date } = await environment.port.get(key)
    return found !== undefined && parseClaim(found.body).token === owner.token ? { date } : undefined
  }
}

export async function list({ port }: Environment, folder: string): Promise<Listing> {
  const pieces: ListedPiece[] = []
  const records = new Map<number, number[]>()
  const manifests: number[] = []
  let term = 0
  let claimedAt: number | undefined
  let changedAt = 0
  let date = 0
  const noteTerm = (found: number, { lastModified }: ListedObject, isClaim: boolean): void => {
    if (found > term) claimedAt = undefined
    term = Math.max(term, found)
    if (isClaim && found === term) claimedAt = lastModified
  }
  for (let after: string | undefined; ; ) {
    const page = await port.list(folder, { after })
    date = page.date
    for (const object of page.objects) {
      const name = parseName(object.key.slice(folder.length))
      if (name === undefined || name.kind === 'joined') continue
      if (name.kind === 'claim') noteTerm(name.term, object, true)
      else if (name.kind === 'manifest') {
        manifests.push(name.term)
        noteTerm(name.term, object, false)
      } else if (name.kind === 'record') {
        records.set(name.term, [...(records.get(name.term) ?? []), name.sequence])
        noteTerm(name.term, object, name.term === 1 && name.sequence === 0)
        changedAt = Math.max(changedAt, object.lastModified)
      } else {
        pieces.push({ piece: name.piece, size: object.size })
        changedAt = Math.max(changedAt, object.lastModified)
      }
    }
    if (page.next === undefined) return { date, pieces, records, manifests, term, claimedAt, changedAt }
    after = page.next
  }
}

/** The state of an upload that is not opened: what its last writer has kept. */
export async function currentState(environment: Environment, id: string): Promise<LiveState | undefined> {
  const folder = liveFolder(environment.prefix, id)
  const listing = await list(environment, folder)
  if (listing.records.size === 0) return undefined
  const base = Math.max(1, ...listing.manifests)
  const manifest = base === 1 ? undefined : parseManifest(await read(environment, `${folder}${manifestName(base)}`))
  return stateOf(environment, folder, listing, base, manifest?.state)
}

/** The last record of a term, or that of its manifest. */
async function stateOf(
  environment: Environment,
  folder: string,
  { records }: Listing,
  term: number,
  initial: LiveState | undefined,
): Promise<LiveState> {
  const last = Math.max(-1, ...(records.get(term) ?? []))
  if (last >= 0) return parseLiveState(await read(environment, `${folder}${recordName(term, last)}`))
  if (initial === undefined) throw new UploadError('storage_error', 'The record of this upload is missing.')
  return initial
}

async function read({ port }: Environment, key: string): Promise<Buffer> {
  const { found } = await port.get(key)
  if (found === undefined) throw new S3Error('unknown', `${key} is missing.`)
  return found.body
}

/**
 * Deletes what the manifest of the new term replaces, unless a newer term has begun: its opener may have listed before
 * that manifest was there, and count other pieces. The first record stays: it says that the id exists.
 */
function removeOld(
  { port }: Environment,
  folder: string,
  term: Term,
  { records, manifests }: Listing,
  pieces: readonly string[],
): void {
  const old = [...records].flatMap(([term, sequences]) => sequences.map((sequence) => recordName(term, sequence)))
  const names = [...old.filter((name) => name !== recordName(1, 0)), ...manifests.map(manifestName), ...pieces]
  if (names.length === 0) return
  const keys = names.map((name) => `${folder}${name}`)
  term
    .check()
    .then(() => port.remove(keys))
    .catch(() => undefined)
}

/**
 * Writes the first record of an upload, which claims its first term.
 *
 * @returns when S3 had it.
 * @throws UploadError `moved` if there is such an upload; S3Error.
 */
export async function createLive(environment: Environment, state: LiveState, owner: ClaimOwner): Promise<Answered> {
  const { port, prefix } = environment
  const { id } = state.record
  const key = `${liveFolder(prefix, id)}${recordName(1, 0)}`
  let written: Answered
  try {
    written = await port.put(key, formatLiveState(state, owner), { ifAbsent: true })
  } catch (error) {
    if (!(error instanceof S3Error) || error.outcome !== 'exists') throw error
    const { found, date } = await port.get(key)
    if (found === undefined || parseClaim(found.body).token !== owner.token) throw moved()
    written = { date }
  }
  // One that has ended has no first record any more.
  if (isDerived(state.record) && (await readDone(environment, id)) !== undefined) {
    await port.remove([key])
    throw moved()
  }
  return written
}
